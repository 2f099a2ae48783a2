// The admin API: who may use it, what a request and an answer must look like.
export { type AdminApp, createAdminApp } from './app.ts';
export { configRoutes } from './routes.ts';
export { degradedParts, partNames } from './degraded.ts';
export { metricsMount } from './metrics.ts';
export { adminMount } from './mount.ts';
export { type Degraded, statusMount } from './status.ts';
export type { ApplyOptions } from './contract.ts';
