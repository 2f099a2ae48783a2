import type { Bus } from '../../platform/bus/contract.ts';
import { everyone } from '../../platform/bus/contract.ts';
import { isObject } from '../rpc/message.ts';

/** One kind of message between processes: its name, and how to tell a message of it from anything else. */
export interface Topic<Message> {
  readonly name: string;
  /** The message; undefined when it has another shape, as a process of another version may send it. */
  read(value: unknown): Message | undefined;
}

type Reader<T> = (value: unknown) => T | undefined;
type ShapeOf<Readers> = { readonly [Key in keyof Readers]: Readers[Key] extends Reader<infer T> ? T : never };

/** A topic whose messages are objects with these members; members that are not named are dropped. */
export function topicOf<Readers extends Readonly<Record<string, Reader<unknown>>>>(
  name: string,
  readers: Readers,
): Topic<ShapeOf<Readers>> {
  return {
    name,
    read(value) {
      if (!isObject(value)) return undefined;
      const message: Record<string, unknown> = {};
      for (const [key, read] of Object.entries(readers)) {
        const found = read(value[key]);
        if (found === undefined) return undefined;
        message[key] = found;
      }
      return message as ShapeOf<Readers>; // each member has just been read
    },
  };
}

export const text: Reader<string> = (value) => (typeof value === 'string' ? value : undefined);
export const count: Reader<number> = (value) =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : undefined;
export const yesNo: Reader<boolean> = (value) => (typeof value === 'boolean' ? value : undefined);

export function nullOr<T>(read: Reader<T>): Reader<T | null> {
  return (value) => (value === null ? null : read(value));
}

export function oneOf<const T extends string>(...known: readonly T[]): Reader<T> {
  return (value) => known.find((one) => one === value);
}

export function listOf<T>(read: Reader<T>): Reader<readonly T[]> {
  return (value) => {
    if (!Array.isArray(value)) return undefined;
    const found = value.map(read);
    return found.every((one) => one !== undefined) ? found : undefined;
  };
}

/** Sends a message to one process. */
export function tell<Message>(bus: Bus, node: string, topic: Topic<Message>, message: Message): void {
  bus.send(node, topic.name, message);
}

/** Sends a message to all other processes. */
export function tellAll<Message>(bus: Bus, topic: Topic<Message>, message: Message): void {
  bus.send(everyone, topic.name, message);
}

/** Calls back with each message of the topic that can be read. Returns how to stop. */
export function hear<Message>(
  bus: Bus,
  topic: Topic<Message>,
  handler: (message: Message, from: string) => void,
): () => void {
  return bus.on(topic.name, (value, from) => {
    const message = topic.read(value);
    if (message !== undefined) handler(message, from);
  });
}
