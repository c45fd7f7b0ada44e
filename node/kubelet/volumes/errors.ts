/** A volume cannot be made ready. `message` is what the event says, without the volume's name. */
export class VolumeError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'VolumeError';
  }
}
