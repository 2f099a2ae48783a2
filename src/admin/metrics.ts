import { type Mount, sendJson } from '../platform/http/server.ts';
import type { Metrics, OtherPictures } from '../platform/metrics/metrics.ts';
import { monitors } from './monitors.ts';

export interface MetricsDeps {
  readonly metrics: Metrics;
  /** What opens them; undefined: they are for this machine alone. */
  readonly token: string | undefined;
  readonly publicUrl: string;
  /** The other processes that serve with this one on this machine; their numbers are added. */
  readonly others?: OtherPictures;
}

/** `GET /metrics`, for Prometheus and others who may see everything. */
export function metricsMount({ metrics, token, publicUrl, others }: MetricsDeps): Mount {
  const refusalOf = monitors({ token, publicUrl });
  return {
    takes: (path) => path === '/metrics',
    async serve(req, res, { requestId }) {
      const refusal = refusalOf(req);
      if (refusal) {
        const { code, message, status, headers } = refusal;
        return sendJson(res, status, { error: { code, message, requestId } }, headers);
      }
      const text = await metrics.text(others);
      res.writeHead(200, { 'content-type': metrics.contentType, 'content-length': Buffer.byteLength(text) });
      res.end(req.method === 'HEAD' ? undefined : text);
    },
  };
}
