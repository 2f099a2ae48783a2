import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { createLog } from '../log.ts';
import { createSealer } from '../sealer.ts';
import { createBus } from './bus.ts';
import { type Bus, everyone, longestMessage, NoAnswer, type OpenTransport } from './contract.ts';

/** The behaviour of a bus, whatever carries its messages. `way` is called for each test. */
export function busContract(name: string, way: () => Promise<OpenTransport> | OpenTransport): void {
  const open: Bus[] = [];
  afterEach(async () => {
    for (const bus of open.splice(0)) await bus.close();
  });

  const key = randomBytes(32);
  async function nodes(count: number, keys: readonly Buffer[] = []): Promise<Bus[]> {
    const transport = await way();
    const log = createLog('silent');
    for (let at = 0; at < count; at++) {
      open.push(await createBus({ open: transport, sealer: createSealer(keys[at] ?? key, 'bus'), log }));
    }
    return open;
  }

  describe(`a bus over ${name}`, () => {
    test('a message for everyone reaches all others and not its sender', async () => {
      const all = await nodes(3);
      const heard: string[] = [];
      for (const [at, bus] of all.entries()) {
        bus.on('news', (message, from) => heard.push(`${at}:${String(message)}:${from === all[0]?.node}`));
      }
      all[0]!.send(everyone, 'news', 'hello');
      await expect.poll(() => heard.sort()).toEqual(['1:hello:true', '2:hello:true']);
    });

    test('a message for one reaches nobody else', async () => {
      const [a, b, c] = await nodes(3);
      const heard: string[] = [];
      for (const [who, bus] of [
        ['b', b],
        ['c', c],
      ] as const)
        bus!.on('news', () => heard.push(who));
      a!.send(b!.node, 'news', null);
      await expect.poll(() => heard).toContain('b');
      expect(heard).toEqual(['b']);
    });

    test('messages keep their order, however many and however long', async () => {
      const [a, b] = await nodes(2);
      const heard: number[] = [];
      b!.on('count', (message) => heard.push((message as { at: number }).at));
      const text = 'ü"\\\n😀'.repeat(1_000);
      for (let at = 0; at < 200; at++) a!.send(b!.node, 'count', { at, text: at % 10 === 0 ? text : '' });
      await expect.poll(() => heard.length).toBe(200);
      expect(heard).toEqual(Array.from({ length: 200 }, (_, at) => at));
    });

    test('a long message arrives as it was', async () => {
      const [a, b] = await nodes(2);
      const sent = { text: randomBytes(3_000_000).toString('base64') };
      b!.answer('back', (message) => message);
      expect(await a!.ask(b!.node, 'back', sent, 10_000)).toEqual(sent);
    });

    test('a message that is too long for anyone is not sent, and does no harm', async () => {
      const [a, b] = await nodes(2);
      b!.answer('length', (message) => String(message).length);
      await expect(a!.ask(b!.node, 'length', 'x'.repeat(longestMessage), 100)).rejects.toThrow(NoAnswer);
      expect(await a!.ask(b!.node, 'length', 'x', 10_000)).toBe(1);
    });

    test('a question is answered by the one who was asked', async () => {
      const [a, b, c] = await nodes(3);
      b!.answer('double', (message) => Number(message) * 2);
      c!.answer('double', () => 'not me');
      expect(await a!.ask(b!.node, 'double', 21, 10_000)).toBe(42);
    });

    test('a process can ask itself', async () => {
      const [a] = await nodes(1);
      a!.answer('name', () => 'a');
      expect(await a!.ask(a!.node, 'name', null, 10_000)).toBe('a');
    });

    test('nobody there, no handler and a handler that throws all end in NoAnswer', async () => {
      const [a, b] = await nodes(2);
      b!.answer('throws', () => {
        throw new Error('inside');
      });
      await expect(a!.ask('gone', 'x', null, 20)).rejects.toThrow(NoAnswer);
      await expect(a!.ask(b!.node, 'unknown', null, 10_000)).rejects.toThrow(NoAnswer);
      await expect(a!.ask(b!.node, 'throws', null, 10_000)).rejects.toThrow(NoAnswer);
    });

    test('a message sealed by another key is not heard', async () => {
      const [a, b] = await nodes(2, [key, randomBytes(32)]);
      b!.answer('x', () => 1);
      await expect(a!.ask(b!.node, 'x', null, 100)).rejects.toThrow(NoAnswer);
    });

    test('what is still asked when it closes is answered with NoAnswer, and nothing is sent after that', async () => {
      const [a, b] = await nodes(2);
      const heard: unknown[] = [];
      b!.on('late', (message) => heard.push(message));
      b!.answer('never', () => new Promise(() => undefined));
      const asked = expect(a!.ask(b!.node, 'never', null, 60_000)).rejects.toThrow(NoAnswer);
      await a!.close();
      await asked;
      a!.send(b!.node, 'late', 1);
      b!.answer('ping', () => 'pong');
      expect(await b!.ask(b!.node, 'ping', null, 10_000)).toBe('pong');
      expect(heard).toEqual([]);
    });

    test('says that messages get through', async () => {
      const [a] = await nodes(1);
      expect(a!.awaySince()).toBeNull();
    });
  });
}
