import type { Host } from '../host.ts';
import { readNodeFacts } from './facts.ts';
import { createNodeFiles } from './files.ts';
import { createNodeProcesses } from './processes.ts';
import { createNodeSockets } from './sockets.ts';

/** The machine that this process runs on. Nothing is opened or started until it is asked for. */
export function createNodeHost(): Host {
  return Object.freeze({
    files: createNodeFiles(),
    processes: createNodeProcesses(),
    sockets: createNodeSockets(),
    facts: readNodeFacts(),
  });
}
