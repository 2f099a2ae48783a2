// Takes traces over HTTP and forgets them: what a collector costs is not the gate's.
import { createServer } from 'node:http';
import { announcePort } from './announce.ts';

announcePort(
  createServer((req, res) => {
    req.resume();
    req.on('end', () => res.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
  }),
);
