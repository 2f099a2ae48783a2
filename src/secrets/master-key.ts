import { createHash, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { chmod, link, open, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { inspect } from 'node:util';
import { AppError, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { makeDirectory } from '../platform/make-directory.ts';
import { masterKeyInvalid, masterKeyUnusable } from './errors.ts';

const keyBytes = 32;

/** The key under which credentials are sealed. It prints as `[master key <id>]`, however it is printed. */
export class MasterKey {
  /** Eight hex digits of a hash of the key: tells two keys apart and gives nothing away. */
  readonly id: string;
  /** For `seal` and `open` only. */
  readonly sealing: KeyObject;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.id = createHash('sha256').update('toolgate master key id\0').update(bytes).digest('hex').slice(0, 8);
    this.sealing = createSecretKey(this.derive('seal v1'));
  }

  /** 32 bytes for one use of the key (HKDF-SHA256, RFC 5869); features call `deriveKey`. */
  derive(info: string): Buffer {
    // The salt may be empty: the key is uniformly random already.
    return Buffer.from(hkdfSync('sha256', this.#bytes, '', `toolgate ${info}`, keyBytes));
  }

  toString(): string {
    return `[master key ${this.id}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** 32 bytes for another feature's purpose. A leaked one tells nothing about the master key or other purposes. */
export function deriveKey(masterKey: MasterKey, purpose: string): Buffer {
  return masterKey.derive(`purpose ${purpose}`);
}

/**
 * The master key from `value` (TOOLGATE_MASTER_KEY: base64 or base64url of 32 bytes), else from
 * `<dataDir>/master.key`, which is made, with a warning, when there is none. Throws `master_key_invalid`, or
 * `master_key_unusable` when the file can be neither read nor made.
 */
export async function loadMasterKey(o: {
  value: string | undefined;
  dataDir: string;
  log: Log;
}): Promise<MasterKey> {
  if (o.value !== undefined && o.value.trim() !== '') return parseKey(o.value, 'TOOLGATE_MASTER_KEY');
  const file = path.join(o.dataDir, 'master.key');
  try {
    const text = (await readIfThere(file)) ?? (await makeKeyFile(file, o.log));
    const key = parseKey(text, file);
    await tighten(file, o.log);
    return key;
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw masterKeyUnusable(file, error);
  }
}

function parseKey(text: string, source: string): MasterKey {
  const bytes = Buffer.from(text.trim(), 'base64');
  // Buffer.from skips over what is not base64, so the form is checked, too.
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text.trim()) || bytes.length !== keyBytes) {
    throw masterKeyInvalid(source);
  }
  return new MasterKey(bytes);
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

/** Makes the file as a whole or not at all, and never over another: two programs that start at once get one key. */
async function makeKeyFile(file: string, log: Log): Promise<string> {
  await makeDirectory(path.dirname(file));
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(`${randomBytes(keyBytes).toString('base64')}\n`);
    await handle.sync();
    await link(draft, file);
    log.warn(
      { file },
      'made a master key; keep a copy of this file in a safe place: without it no stored credential can be read',
    );
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  } finally {
    await handle.close();
    await rm(draft, { force: true });
  }
  return readFile(file, 'utf8');
}

async function tighten(file: string, log: Log): Promise<void> {
  // Windows has no such permission bits.
  if (process.platform === 'win32' || ((await stat(file)).mode & 0o077) === 0) return;
  try {
    await chmod(file, 0o600);
    log.warn({ file }, 'the master key file was open to other users of this machine; its mode is 0600 again');
  } catch (error) {
    log.warn(
      { file, error: messageOf(error) },
      'the master key file is open to other users of this machine; make its mode 0600',
    );
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
