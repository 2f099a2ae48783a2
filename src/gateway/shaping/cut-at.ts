/** Where to cut a text so that it is at most `at` long and no character is cut in two. */
export function cutAt(text: string, at: number): number {
  if (at >= text.length) return text.length;
  const last = text.charCodeAt(at - 1);
  return last >= 0xd800 && last <= 0xdbff ? at - 1 : at;
}
