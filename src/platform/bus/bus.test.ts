import { busContract } from './bus.contract.ts';
import { memoryTransport } from './memory.ts';

busContract('memory', memoryTransport);
