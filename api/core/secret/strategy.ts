import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { Secret } from '../../types/core/v1.generated.ts';
import { secretWarnings, validateSecret, validateSecretUpdate } from './validation.ts';

const encoder = new TextEncoder();

export const strategy: Strategy<Secret> = {
  validate: validateSecret,
  validateUpdate: validateSecretUpdate,
  warnings: secretWarnings,
  defaults(draft) {
    draft.type ||= 'Opaque';
    mergeStringData(draft);
  },
};

/** `stringData` is for writing alone: it goes over `data`, and is never stored. */
function mergeStringData(secret: Secret): void {
  for (const [key, text] of Object.entries(secret.stringData ?? {})) {
    secret.data ??= {};
    secret.data[key] = base64(text);
  }
  delete secret.stringData;
}

function base64(text: string): string {
  let binary = '';
  for (const byte of encoder.encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}
