// Open WebUI lets a socket open before somebody has signed in, and is told on it who that is.
import { expect, test } from 'vitest';
import { handshakeText, openWebUiWorld, usualPicture } from '../../../../test/open-webui-world.ts';
import { clientFrame, goodbyeIn } from '../../../../test/web-socket.ts';

const path = '/ws/socket.io/?EIO=4&transport=websocket';
const join = (token: unknown) => `42["user-join",${JSON.stringify({ auth: { token } })}]`;
const aliceGone = { ...usualPicture, users: { 'alice@acme.com': { disabled: true } } };
/** Session tokens have three parts; the person's name is in the first. */
const alice = 'session-alice.x.y';

async function openWorld(o: Parameters<typeof openWebUiWorld>[0] = {}) {
  const world = await openWebUiWorld(o);
  return {
    ...world,
    async socket(...headers: string[]) {
      const connection = await world.raw(handshakeText(path, ...headers));
      await expect.poll(connection.text).toContain('hello');
      return {
        ...connection,
        say: (...frames: (string | Buffer)[]) =>
          connection.socket.write(
            Buffer.concat(frames.map((one) => (typeof one === 'string' ? clientFrame(one) : one))),
          ),
        goodbye: () => goodbyeIn(connection.text())?.code,
      };
    },
  };
}

test.each([
  ['an event', join(alice)],
  ['the packet that connects', `40${JSON.stringify({ token: alice })}`],
  ['an event that is answered', `427${join(alice).slice(2)}`],
  ['another event', `42["join-channels",{"auth":{"token":"${alice}"}}]`],
  ['an event of a later version', `42["anything",{"more":1,"auth":{"token":"${alice}"}}]`],
  ['an event with attachments', `451-["x",{"auth":{"token":"${alice}"},"b":{"_placeholder":true,"num":0}}]`],
  ['an escaped spelling', `42["user-join",{"\\u0061uth":{"tok\\u0065n":"${alice}"}}]`],
])('a socket becomes the person that is named on it, by %s', async (_how, said) => {
  const { socket, site, change, mount, asked } = await openWorld();
  const one = await socket();
  one.say('40', said);
  await expect.poll(() => site.heard).toEqual(['40', said]);
  expect(asked).toEqual([alice]);
  change(aliceGone);
  await one.closed;
  expect(one.goodbye()).toBe(1008);
  await expect.poll(() => mount.sockets()).toBe(0);
});

test('a disabled person is not let in under way, whoever opened the socket', async () => {
  const { socket, site } = await openWorld({
    picture: { ...aliceGone, users: { ...aliceGone.users, 'boss@acme.com': { groups: ['Bosses'] } } },
  });
  for (const headers of [[], ['Cookie: token=session-boss']]) {
    const one = await socket(...headers);
    one.say('40', join(alice));
    await one.closed;
    expect(one.goodbye()).toBe(1008);
  }
  expect(site.heard).toEqual(['40', '40']);
});

test.each([
  [
    'in pieces',
    [
      clientFrame(join(alice).slice(0, 9), { isFinal: false }),
      clientFrame(join(alice).slice(9), { opcode: 0 }),
    ],
  ],
  ['masked', [clientFrame(join(alice), { mask: [1, 200, 3, 77] })]],
  ['with a longer length than it needs', [clientFrame(join(alice), { lengthBytes: 8 })]],
  [
    'around a ping',
    [
      clientFrame('42["user-jo', { isFinal: false }),
      clientFrame('', { opcode: 9 }),
      clientFrame(join(alice).slice(11), { opcode: 0 }),
    ],
  ],
] as const)('a name that comes %s is heard', async (_how, frames) => {
  const { socket, site, asked } = await openWorld({ picture: aliceGone });
  const one = await socket();
  for (const byte of Buffer.concat([...frames])) one.socket.write(Buffer.from([byte]));
  await one.closed;
  expect(asked).toEqual([alice]);
  expect(site.heard).toEqual([]);
});

test.each([
  [
    'JSON within JSON, which Engine.IO unpacks',
    `4${JSON.stringify(`2["user-join",{"auth":{"token":"${alice}"}}]`)}`,
  ],
  ['a digit of another script', `\uff14${join(alice).slice(1)}`],
  ['a digit of another script further on', `4\uff12${join(alice).slice(2)}`],
  ['base64', `b${Buffer.from(join(alice).slice(1)).toString('base64')}`],
  ['another namespace', `42/x,${join(alice).slice(2)}`],
  ['the usual namespace, spelled out', `42/,${join(alice).slice(2)}`],
  ['attachments that are not announced as such', `421-${join(alice).slice(2)}`],
  ['an escaped name', `42["user\\u002djoin",{"auth":{"token":"${alice}"}}]`],
  ['a blank', `42 ${join(alice).slice(2)}`],
  ['a blank before the name', `42[ "user-join",{"auth":{"token":"${alice}"}}]`],
  ['something that is no JSON', `42["user-join",{"auth":{"token":"${alice}"},"x":NaN}]`],
  ['a connect that is no object', `40"token"`],
  ['a token as attachment', `451-["user-join",{"auth":{"token":{"_placeholder":true,"num":0}}}]`],
  ['a token that is no text', join(5)],
  ['a session that only a lenient reader takes for one', join(`${alice}=`)],
  ['nothing', ''],
])('what Open WebUI might read as a name ends the socket: %s', async (_what, said) => {
  const { socket, site } = await openWorld();
  const one = await socket();
  one.say(said);
  await one.closed;
  expect(one.goodbye()).toBe(1008);
  expect(site.heard).toEqual([]);
});

test.each([
  ['a ping', '2'],
  ['a pong', '3'],
  ['an answer to the server', '4312[{"ok":true}]'],
  ['an event', '42["events:chat",{"chat_id":"1","data":{"type":"join"}}]'],
  ['an event that asks for an answer', '4213["usage",{"model":"x"}]'],
  ['an event with nothing', '42["heartbeat"]'],
  ['a name without a token', '42["user-join",{"auth":{}}]'],
  ['an empty token', join('')],
  ['a key, which no socket takes', join('sk-0123')],
])('what names nobody goes on: %s', async (_what, said) => {
  const { socket, site } = await openWorld();
  (await socket()).say(said);
  await expect.poll(() => site.heard).toEqual([said]);
});

test('what is not masked, reserved or out of order is no WebSocket', async () => {
  const { socket, site } = await openWorld();
  for (const frame of [
    clientFrame('2', { mask: null }),
    clientFrame('2', { reserved: 0x40 }),
    clientFrame('2', { opcode: 3 }),
    clientFrame('2', { opcode: 0 }),
    clientFrame('x'.repeat(126), { opcode: 9 }),
    clientFrame('', { opcode: 9, isFinal: false }),
    Buffer.concat([clientFrame('2', { isFinal: false }), clientFrame('2')]),
  ]) {
    const one = await socket();
    one.say(frame);
    await one.closed;
    expect(one.goodbye()).toBe(1002);
  }
  expect(site.heard).toEqual([]);
});

test('a message that never ends is not kept', async () => {
  const { socket, site } = await openWorld();
  const one = await socket();
  one.say(clientFrame('4', { isFinal: false }));
  const pings = Buffer.concat(
    Array.from({ length: 1_200 }, () => clientFrame('x'.repeat(120), { opcode: 9 })),
  );
  one.say(clientFrame('2', { opcode: 0, isFinal: false }), pings, pings);
  for (let count = 0; count < 20_000; count++) one.say(clientFrame('', { opcode: 0, isFinal: false }));
  await one.closed;
  expect(site.heard).toEqual([]);
});

test('a message in very small pieces is not kept', async () => {
  const { socket, site } = await openWorld();
  for (const headers of [[], ['Cookie: token=session-alice']]) {
    const one = await socket(...headers);
    one.say(clientFrame('4', { isFinal: false }));
    one.say(...Array.from({ length: 100 }, () => clientFrame('2', { opcode: 0, isFinal: false })));
    await one.closed;
    expect(one.goodbye()).toBe(1008);
  }
  expect(site.heard).toEqual([]);
});

test('of somebody who has not signed in 8 KiB are read', async () => {
  const { socket, site } = await openWorld();
  const named = `40${JSON.stringify({ token: alice, more: 'x'.repeat(8_000) })}`;
  (await socket()).say(named);
  await expect.poll(() => site.heard).toEqual([named]);
  const event = `42["events:chat",{"more":"${'x'.repeat(9_000)}"}]`;
  const stranger = await socket();
  stranger.say(event);
  await stranger.closed;
  expect(stranger.goodbye()).toBe(1009);
  (await socket('Cookie: token=session-alice')).say(event);
  await expect.poll(() => site.heard).toEqual([named, event]);
});

test('long messages are for people, and names are short', async () => {
  const { socket, site } = await openWorld();
  const long = `42["ydoc:document:update",{"update":"${'ä'.repeat(100_000)}"}]`;
  const stranger = await socket();
  stranger.say(long);
  await stranger.closed;
  expect(stranger.goodbye()).toBe(1009);
  const person = await socket('Cookie: token=session-alice');
  person.say(long, clientFrame(long, { lengthBytes: 8 }), '2');
  await expect.poll(() => site.heard).toEqual([long, long, '2']);
  person.say(`42["user-join",{"x":"${'x'.repeat(70_000)}","auth":{"token":"session-boss.x.y"}}]`);
  await person.closed;
  expect(person.goodbye()).toBe(1009);
  expect(site.heard).toHaveLength(3);
});

test('an old session of a window that was open for long is nobody, and the new one counts', async () => {
  const { socket, site, ended, change } = await openWorld();
  ended.add('session-old.x.y');
  const one = await socket('Cookie: token=session-old.x.y');
  one.say('40{"token":"session-old.x.y"}', '2', join(alice));
  await expect.poll(() => site.heard).toHaveLength(3);
  change(aliceGone);
  await one.closed;
});

test('a socket ends when its session does: nobody else is on it', async () => {
  const { socket, ended } = await openWorld({ times: { socketCheckMs: 10 } });
  const shown = await socket('Cookie: token=session-alice');
  const named = await socket();
  named.say(join(alice));
  const other = await socket('Cookie: token=session-boss');
  await expect.poll(() => named.text()).toContain('user-join');
  ended.add('session-alice').add(alice);
  for (const one of [shown, named]) {
    await one.closed;
    expect(one.goodbye()).toBe(1008);
  }
  other.say('2');
  await expect.poll(other.text).toMatch(/hello.*2/s);
});

test('while nobody can tell, sockets stay open, and nobody new is named', async () => {
  const { socket, ended, asked } = await openWorld({ times: { socketCheckMs: 10 } });
  const known = await socket('Cookie: token=session-alice');
  const unknown = await socket();
  ended.add('all');
  const before = asked.length;
  await expect.poll(() => asked.length).toBeGreaterThan(before + 2);
  known.say('2');
  await expect.poll(known.text).toMatch(/hello.*2/s);
  unknown.say(join('session-boss.x.y'));
  await unknown.closed;
  expect(unknown.goodbye()).toBe(1013);
});

test('a sign-out is looked into at once', async () => {
  const { socket, ended, forgotten, url } = await openWorld();
  const one = await socket();
  one.say(join(alice));
  await expect.poll(one.text).toContain('user-join');
  ended.add(alice);
  // Its answer shows nothing: whether the session has ended is asked.
  await fetch(`${url}/api/v1/auths/signout`, { headers: { cookie: 'token=session-boss' } });
  expect(one.isClosed()).toBe(false);
  ended.delete(alice);
  const signOut = fetch(`${url}/api/v1/auths/signout`, { headers: { cookie: `token=${alice}` } });
  ended.add(alice);
  await signOut;
  await one.closed;
  expect(forgotten).toContain(alice);
});

test('nobody tries one session after the other on a socket', async () => {
  const { socket, site } = await openWorld();
  const one = await socket();
  for (let count = 0; count < 5; count++) one.say(join(`guess${count}.x.y`));
  await one.closed;
  expect(one.goodbye()).toBe(1008);
  expect(site.heard).not.toContain(join('guess4.x.y'));
});

test('a named socket counts among those of its person', async () => {
  const { socket, raw, mount } = await openWorld();
  const sockets = await Promise.all(Array.from({ length: 101 }, () => socket()));
  for (const one of sockets) one.say(join(alice));
  await expect.poll(() => sockets.filter((one) => one.goodbye() === 1013)).toHaveLength(1);
  await expect.poll(() => mount.sockets()).toBe(100);
  const refused = await raw(handshakeText(path, 'Cookie: token=session-alice'));
  await refused.closed;
  expect(refused.text()).toContain('too_many_sockets');
});
