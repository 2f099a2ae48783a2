// Operators write keys into URLs and arguments too; what an admin API shows and the audit log keeps has them blanked.

const telling = /key|token|secret|passw|auth|credential|signature/i;
const blank = '***';

/** The URL without its password and without the values of query parameters whose names tell of a secret. */
export function maskUrl(url: string): string {
  return url
    .replace(/^(\w+:\/\/[^/?#@]*:)[^/?#@]+@/, `$1${blank}@`)
    .replace(/([?&])([^=&#]*)=([^&#]*)/g, (whole, mark: string, name: string, value: string) =>
      telling.test(name) && !value.startsWith('${') ? `${mark}${name}=${blank}` : whole,
    );
}

/** Arguments without what follows `--some-token`, in the same word or in the next. */
export function maskArgs(args: readonly string[]): string[] {
  return args.map((arg, index) => {
    const [name = '', ...value] = arg.split('=');
    if (name.startsWith('-') && value.length > 0 && telling.test(name)) return `${name}=${blank}`;
    const before = args[index - 1] ?? '';
    const follows = before.startsWith('-') && !before.includes('=') && telling.test(before);
    return follows && !arg.startsWith('-') ? blank : maskUrl(arg);
  });
}
