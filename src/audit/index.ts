// What happened: one row per request through the gate (api_analytics) and one per admin or security event
// (audit_log). Calls are recorded off the hot path and survive a database that is away; audit entries are
// written in the transaction of the change they describe.
export { createRecorder, type Recorder } from './recorder.ts';
export { auditRoutes } from './routes.ts';
export { writeAudit } from './store.ts';
