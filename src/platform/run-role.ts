import { AppError, messageOf } from './errors.ts';

/** Runs one of the roles that a program can have; a failure is told on standard error and exits with 1. */
export async function runRole(
  roles: Readonly<Record<string, () => Promise<void>>>,
  name: string,
): Promise<void> {
  const role = roles[name];
  try {
    if (!role)
      throw new AppError(
        'role_unknown',
        500,
        `There is no role "${name}"; the roles are ${Object.keys(roles).join(', ')}.`,
      );
    await role();
  } catch (error) {
    process.stderr.write(`\n${sentence(error)}\n`);
    process.exit(1);
  }
}

/** A mistake that a person can mend is a sentence; anything else is a fault of ours and shows where it happened. */
function sentence(error: unknown): string {
  if (error instanceof AppError) return error.message;
  return error instanceof Error && error.stack !== undefined ? error.stack : messageOf(error);
}
