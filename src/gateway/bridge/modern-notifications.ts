/** What the modern era took out; a modern caller of a legacy server does not hear of it. */
const legacyOnly = new Set([
  'notifications/elicitation/complete',
  'notifications/tasks/status',
  'notifications/roots/list_changed',
]);

export function isLegacyOnly(method: string): boolean {
  return legacyOnly.has(method);
}
