import { filledFor, type WithheldQuestion } from '../access/index.ts';
import { hasControlCharacters, type ToolPins } from '../catalog/index.ts';
import type { Gate } from './call.ts';
import { pinModeOf, placeOf } from './pins.ts';

/**
 * Why nobody gets a tool that rights would give, as a sentence for an administrator, which says what to do about it;
 * undefined: nothing of that kind stands in the way.
 */
export function withheld(
  { snapshot, toolPins }: Pick<Gate, 'snapshot'> & { readonly toolPins: Pick<ToolPins, 'standingOf'> },
  { server: id, tool, tenant }: WithheldQuestion,
): string | undefined {
  const picture = snapshot();
  const server = picture.servers.get(id);
  if (!server) return undefined;
  if (hasControlCharacters(tool))
    return `The tool is hidden from everyone, admins included: its name holds characters that cannot be seen. Only ${id} itself can give it another name.`;
  if (pinModeOf(server) !== 'enforce') return undefined;
  const filled = filledFor(picture, server, tenant === null ? null : (picture.tenants.get(tenant) ?? null));
  // Nobody reaches it there, and whoever tries is told why.
  if (!filled.ok) return undefined;
  const place = placeOf({ server, filled });
  const standing = toolPins.standingOf(place, tool);
  const held = `The tool ${tool} is held back from everyone, admins included (pin: enforce)`;
  if (standing === 'pending')
    return `${held}: its definition at ${place.reachedAt} is new or has changed, and nobody has accepted it. Look at it with GET /mcp-admin/api/pins?server=${id}&status=pending and accept it with POST /mcp-admin/api/pins/{id}/accept.`;
  if (standing === 'unlisted')
    return `${held}: the server does not list it at ${place.reachedAt}, so there is no definition that could be accepted.`;
  return undefined;
}
