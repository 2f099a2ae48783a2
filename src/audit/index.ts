// What happened: one row per request through the gate (api_analytics) and one per admin or security event
// (audit_log). Calls are recorded off the hot path and survive a database that is away; audit entries are
// written in the transaction of the change they describe, and chained to the one before when it commits.
export { createRecords, type Records } from './records.ts';
export { createRecorder, type Recorder } from './recorder.ts';
export { personalRoutes } from './personal/routes.ts';
export { requestRecord } from './request-records.ts';
export { watchRefusedSignIns } from './refused-sign-ins.ts';
export { verifyExport } from './chain/exported-chain.ts';
export { fileUnreadable } from './errors.ts';
export { auditRoutes } from './routes.ts';
export { writeAudit } from './store.ts';
export { timeId } from './time-id.ts';
