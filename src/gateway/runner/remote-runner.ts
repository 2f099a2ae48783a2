import { messageOf } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import type { Away, RunnerWay } from '../connectors/runner.ts';
import { healthOf } from '../connectors/runner-health.ts';
import type { RunnerPlace } from '../connectors/runner-process.ts';

export interface RemoteRunnerOptions {
  readonly url: string;
  readonly key: string;
  readonly log: Log;
  /** Between two looks, in milliseconds. */
  readonly lookEvery?: number | undefined;
}

const usualEvery = 5_000;
const where = 'It is looked for where TOOLGATE_RUNNER_URL says, again and again.';

/** A runner that somebody else starts, e.g. in a container of its own: it is asked again and again how it is. */
export class RemoteRunner implements RunnerWay {
  readonly #options: RemoteRunnerOptions;
  readonly #place: RunnerPlace;
  readonly #back: (() => void)[] = [];
  #away: Away | null = null;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: RemoteRunnerOptions) {
    this.#options = options;
    this.#place = { origin: new URL(options.url).origin, key: options.key };
    this.#look();
  }

  place(): Promise<RunnerPlace> {
    return Promise.resolve(this.#place);
  }

  away(): Away | null {
    return this.#away;
  }

  onBack(listener: () => void): void {
    this.#back.push(listener);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #look(): void {
    healthOf(this)
      .then(
        () => this.#answers(),
        (error: unknown) => this.#fails(`${messageOf(error)} ${where}`),
      )
      .catch((error: unknown) => this.#options.log.error({ err: error }, 'a look at the runner failed'))
      .finally(() => {
        if (this.#isClosed) return;
        this.#timer = setTimeout(() => this.#look(), this.#options.lookEvery ?? usualEvery).unref();
      })
      .catch(() => undefined);
  }

  #answers(): void {
    if (this.#isClosed || !this.#away) return;
    this.#away = null;
    this.#options.log.info('the runner is back');
    for (const listener of this.#back) listener();
  }

  #fails(why: string): void {
    if (this.#isClosed) return;
    if (this.#away?.why !== why) this.#options.log.warn({ why }, 'the runner cannot be used');
    this.#away = { since: this.#away?.since ?? new Date(), why };
  }
}
