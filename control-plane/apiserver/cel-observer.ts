/** Is told how long expressions take: rules of custom resources, and checks of policies. */
export interface CelObserver {
  /** Rises; in milliseconds. */
  nowMs(): number;
  /** The rules of one schema were compiled. */
  compiled(ms: number): void;
  /** All rules that one object must keep were asked. */
  evaluated(ms: number): void;
  /** A validation of a policy did not hold, or could not be asked. `action`: what followed. */
  checked(policy: string, binding: string, action: PolicyAction, error: PolicyError, ms: number): void;
}

export type PolicyAction = 'allow' | 'deny' | 'audit' | 'warn';
/** `invalid_error`: it does not hold, or broke; the others say why it could not be asked. */
export type PolicyError = 'no_error' | 'compile_error' | 'invalid_error' | 'out_of_budget';
