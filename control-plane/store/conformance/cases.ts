import type { StoreUnderTest } from './under-test.ts';

/** One promise of the contract, as something that can fail. */
export interface Case {
  readonly name: string;
  /** What the driver must offer for it; else the case is skipped by name. */
  readonly needs?: 'commits' | 'reopen' | 'disturb';
  run(under: StoreUnderTest): Promise<void>;
}
