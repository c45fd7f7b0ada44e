import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { KeyPair } from '../keys.ts';
import { CryptoKeyPair, CryptoKeys } from './crypto-keys.ts';

/** Fresh keys on ECDSA P-256; secrets and serial numbers from the machine's randomness. */
export class NodeKeys extends CryptoKeys {
  secret(length: number): Uint8Array {
    return randomBytes(length);
  }

  async generateKey(_purpose: string): Promise<KeyPair> {
    // Synchronous on purpose: 0.1 ms, less than a trip to the thread pool and back.
    return new CryptoKeyPair(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
  }

  protected serialNumber(): Uint8Array {
    return randomBytes(16);
  }
}
