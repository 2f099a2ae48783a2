// What of a record of a change is one person's, where it says something of others, too.

/** A record of a change, as its columns are called. */
export interface AuditRecord {
  readonly actor: string;
  readonly target_kind: string;
  readonly target_id: string;
  readonly before: unknown;
  readonly after: unknown;
  readonly request_id: string | null;
  readonly client_ip: string | null;
  readonly [column: string]: unknown;
}

/** Of whatever record: what happened, and when. */
const ofAll = ['id', 'timestamp', 'action', 'target_kind', 'tenant_id'];

/**
 * What the record says of the person: who did it and from where, if they did; what it was done to, unless that is
 * somebody else; all of it, but for others, where it is about them; else only where they are named.
 */
export function ownPart(record: AuditRecord, email: string): object {
  const { actor, target_kind: kind, target_id: target, before, after } = record;
  const isActor = actor.toLowerCase() === email;
  const isTarget = kind === 'user' && target.toLowerCase() === email;
  const part = isTarget ? withoutOthers : onlyOwn;
  return {
    ...Object.fromEntries(ofAll.map((column) => [column, record[column]])),
    ...(isActor && { actor, request_id: record.request_id, client_ip: record.client_ip }),
    target_id: withoutOthers(target, email),
    before: part(before, email) ?? null,
    after: part(after, email) ?? null,
  };
}

/** Where they are named, and nothing beside it; undefined where they are not. */
function onlyOwn(value: unknown, email: string): unknown {
  if (typeof value === 'string') return names(value, email) ? email : undefined;
  if (Array.isArray(value)) {
    const own = value.map((item) => onlyOwn(item, email)).filter((item) => item !== undefined);
    return own.length > 0 ? own : undefined;
  }
  if (value === null || typeof value !== 'object') return undefined;
  const own = Object.entries(value).flatMap(([name, item]) => {
    if (names(name, email)) return [[email, withoutOthers(item, email)] as const];
    const kept = onlyOwn(item, email);
    return kept === undefined ? [] : [[named(name), kept] as const];
  });
  return own.length > 0 ? Object.fromEntries(own) : undefined;
}

const somebody = '(somebody else)';

/** All of it, but for other people's addresses and the texts that they are in. */
function withoutOthers(value: unknown, email: string): unknown {
  if (typeof value === 'string') {
    if (!value.includes('@')) return value;
    return names(value, email) && !value.replaceAll(pattern(email), '').includes('@') ? value : somebody;
  }
  if (Array.isArray(value)) return value.map((item) => withoutOthers(item, email));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      names(name, email) ? name : named(name),
      withoutOthers(item, email),
    ]),
  );
}

function named(name: string): string {
  return name.includes('@') ? somebody : name;
}

function names(text: string, email: string): boolean {
  return pattern(email).test(text);
}

/** The address where it stands alone: as in `without_person` of migrations/0017. */
function pattern(email: string): RegExp {
  const before = String.raw`(?<![^\u0000-\u0020\u007f"(),:;<>\[\\\]])`;
  const after = String.raw`(?![-._\u3002\uff0e\uff61]*[^\u0000-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00b6\u00b8-\u00bf\u2010-\u206f\u3000-\u3002\uff0e\uff61]|"?@)`;
  return new RegExp(before + email.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&') + after, 'gi');
}
