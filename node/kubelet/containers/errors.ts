/** What a pod asks for cannot be made: its configuration is at fault, or something that it refers to is missing. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

/** A container could not be started. `reason` is what its status says: `ErrImagePull`, `RunContainerError` … */
export class StartError extends Error {
  readonly reason: string;
  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartError';
    this.reason = reason;
  }
}
