/** One AdmissionReview there and back. */
import type { Clock } from '../../../libs/base/clock.ts';
import type { Random } from '../../../libs/base/random.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { ApiError, failure, internal, type Status } from '../../../libs/machinery/errors.ts';
import { reviewOf } from '../admission/dynamic/review.ts';
import type { Form, Subject } from '../admission/dynamic/subject.ts';
import { type WebhookClient, WebhookError } from './client.ts';
import type { CompiledWebhook } from './hooks.ts';

const WARNING_LENGTH_MAX = 256;
/** All warnings of one answer together. */
const WARNINGS_LENGTH_MAX = 4 * 1024;
const TIMEOUT_SECONDS = 10;

export interface ReviewResponse {
  readonly allowed: boolean;
  readonly status?: Partial<Status>;
  /** Base64. */
  readonly patch?: string;
  readonly patchType?: string;
  readonly auditAnnotations: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

export interface Caller {
  readonly client: WebhookClient;
  readonly random: Random;
  readonly clock: Clock;
  /** Counts what webhooks take. */
  readonly observed?: WebhookObserver | undefined;
}

export interface WebhookObserver {
  /** `request`: what tells its request from all others. */
  webhook(name: string, type: WebhookType, operation: string, ms: number, rejected: boolean, request: object): void;
}

/** In the words of upstream's metrics. */
export type WebhookType = 'admit' | 'validating';

/**
 * Asks a webhook. Throws `WebhookError` where it cannot be asked or its answer is none; what a failure means, the
 * webhook's failurePolicy says.
 */
export async function ask(
  caller: Caller,
  type: WebhookType,
  hook: CompiledWebhook,
  ctx: RequestContext,
  subject: Subject,
  form: Form,
  registry: Registry,
): Promise<ReviewResponse> {
  const { observed, clock } = caller;
  const beganMs = clock.monotonic();
  let rejected = true;
  try {
    const response = await askOne(caller, hook, ctx, subject, form, registry);
    rejected = !response.allowed;
    return response;
  } finally {
    const tookMs = clock.monotonic() - beganMs;
    observed?.webhook(hook.name, type, subject.request.operation, tookMs, rejected, ctx.warnings);
  }
}

async function askOne(
  { client, random }: Caller,
  hook: CompiledWebhook,
  ctx: RequestContext,
  subject: Subject,
  form: Form,
  registry: Registry,
): Promise<ReviewResponse> {
  const { webhook } = hook;
  const { sideEffects, clientConfig = {}, timeoutSeconds = TIMEOUT_SECONDS } = webhook;
  if (ctx.dryRun && sideEffects !== 'None' && sideEffects !== 'NoneOnDryRun') {
    throw new ApiError(
      failure(400, 'BadRequest', `admission webhook ${JSON.stringify(hook.name)} does not support dry run`),
    );
  }
  const version = (webhook.admissionReviewVersions ?? []).find((one) => one === 'v1' || one === 'v1beta1') ?? 'v1';
  const apiVersion = `admission.k8s.io/${version}`;
  const uid = random.uuid();
  await subject.prepare(form, ctx.ends.signal);
  const review = { kind: 'AdmissionReview', apiVersion, request: reviewOf(ctx, subject, form, uid) };
  let answer: unknown;
  try {
    answer = await client.post(clientConfig, review, timeoutSeconds, registry, ctx.ends.signal);
  } catch (error) {
    if (!(error instanceof WebhookError)) throw error;
    throw new WebhookError(`failed to call webhook: ${error.message}`);
  }
  const response = responseOf(answer, apiVersion, uid);
  for (const text of response.warnings) ctx.warnings.add(text);
  for (const [key, value] of Object.entries(response.auditAnnotations)) ctx.audit.set(`${hook.name}/${key}`, value);
  return response;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function responseOf(answer: unknown, apiVersion: string, uid: string): ReviewResponse {
  const bad = (why: string) => new WebhookError(`received invalid webhook response: ${why}`);
  if (!isObject(answer)) throw bad('webhook response was absent');
  if (answer['apiVersion'] !== apiVersion || answer['kind'] !== 'AdmissionReview') {
    const [group, version] = String(answer['apiVersion'] ?? '').split('/');
    const found = `${group}/${version ?? ''}, Kind=${String(answer['kind'] ?? '')}`;
    throw bad(`expected webhook response of ${apiVersion}, Kind=AdmissionReview, got ${found}`);
  }
  const { response } = answer;
  if (!isObject(response)) throw bad('webhook response was absent');
  if (apiVersion.endsWith('/v1') && response['uid'] !== uid) {
    throw bad(`expected response.uid="${uid}", got ${JSON.stringify(response['uid'] ?? '')}`);
  }
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
  const [patch, patchType] = [text(response['patch']), text(response['patchType'])];
  if (patch !== undefined && patchType === undefined) {
    throw bad('webhook returned response.patch but not response.patchType');
  }
  if (patch === undefined && patchType !== undefined) {
    throw bad('webhook returned response.patchType but not response.patch');
  }
  const { status, auditAnnotations, warnings } = response;
  return {
    allowed: response['allowed'] === true,
    ...(isObject(status) ? { status: status as Partial<Status> } : {}),
    ...(patch === undefined ? {} : { patch, patchType: patchType as string }),
    auditAnnotations: isObject(auditAnnotations) ? (auditAnnotations as Record<string, string>) : {},
    warnings: usableWarnings(Array.isArray(warnings) ? warnings : []),
  };
}

/** Warnings are headers: short, and without control characters. */
function usableWarnings(warnings: readonly unknown[]): string[] {
  const usable: string[] = [];
  let left = WARNINGS_LENGTH_MAX;
  for (const warning of warnings) {
    if (typeof warning !== 'string' || hasControl(warning) || left <= 0) continue;
    const text = warning.slice(0, WARNING_LENGTH_MAX);
    left -= text.length;
    usable.push(text);
  }
  return usable;
}

const hasControl = (text: string): boolean => [...text].some((char) => char < ' ' || char === '\u007f');

/** The refusal of a webhook as the client sees it: 400 unless the webhook says otherwise. */
export function denialBy(name: string, status: Partial<Status> | undefined): ApiError {
  const said = status?.message || status?.reason;
  const denied = `admission webhook ${JSON.stringify(name)} denied the request`;
  const { code = 0 } = status ?? {};
  return new ApiError(
    failure(
      code >= 400 ? code : 400,
      status?.reason || undefined,
      said ? `${denied}: ${said}` : `${denied} without explanation`,
      status?.details,
    ),
  );
}

/** 500 for a webhook that could not be asked. */
export function calledInVain(name: string, error: Error): ApiError {
  return internal(`failed calling webhook ${JSON.stringify(name)}: ${error.message}`);
}
