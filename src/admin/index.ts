// The admin API: who may use it, what a request and an answer must look like, and the document that describes it.
export { type AdminApp, createAdminApp } from './app.ts';
export { openApiDocument } from './openapi.ts';
export { configRoutes } from './routes.ts';
export { type Degraded, statusMount } from './status.ts';
export type { ApplyOptions } from './contract.ts';
