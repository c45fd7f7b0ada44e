import type { Turn } from '../virtual-clock.ts';

/** Resolves once every microtask that is ready, and all that they made ready, have run. */
export const turn: Turn = () => new Promise((done) => setImmediate(done));
