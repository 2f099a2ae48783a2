// What explain() says of names: an administrator may ask by the name that a person sees, or by the server's own.
import type { Snapshot } from './snapshot.ts';
import type { Standing } from './standing.ts';
import { type OverridesHeld, overridesOn, textsFrom } from './tool-texts.ts';

interface Question {
  readonly user: string;
  readonly server: string;
  readonly tool?: string | undefined;
}

/** The server's own name of the tool that is asked about. */
export function toolMeant(snapshot: Snapshot, standing: Standing, question: Question): string | undefined {
  const { tool } = question;
  return tool === undefined
    ? undefined
    : (textsFrom(held(snapshot, standing, question))?.toolOf.get(tool) ?? tool);
}

/** Why the tool has another name for this person. `asked` is the name in the question, `question.tool` the server's own. */
export function aboutTexts(
  snapshot: Snapshot,
  standing: Standing,
  question: Question,
  asked: string | undefined,
): string[] {
  const { user, server, tool } = question;
  if (tool === undefined) return [];
  const naming = held(snapshot, standing, question).flatMap((one) => {
    const name = Object.hasOwn(one.overrides, tool) ? one.overrides[tool]?.name : undefined;
    return name === undefined ? [] : [{ from: origin(one), name }];
  });
  const [strongest, ...others] = naming;
  if (strongest === undefined) return [];
  const beside =
    tool === asked ? '' : `, unless ${server} has a tool ${strongest.name} of its own, which keeps that name`;
  const beaten = others.filter(({ name }) => name !== strongest.name);
  return [
    `${user} sees the tool ${tool} as ${strongest.name}, from ${strongest.from}${beside}.`,
    ...beaten.map(
      ({ from, name }) => `The name ${name} from ${from} does not count: ${strongest.from} comes first.`,
    ),
  ];
}

function held(snapshot: Snapshot, standing: Standing, { server }: Question): OverridesHeld[] {
  const found = snapshot.servers.get(server);
  return found === undefined ? [] : overridesOn(found, standing);
}

function origin({ group }: OverridesHeld): string {
  return group === null ? 'the server’s definition' : `group ${group}`;
}
