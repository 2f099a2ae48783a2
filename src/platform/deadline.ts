/** The result of `work`, or a rejection with `lateMessage` after `milliseconds`; the work itself goes on. */
export async function within<T>(milliseconds: number, lateMessage: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(lateMessage)), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
