/** MutatingAdmissionWebhook: one after the other, each sees what those before it have made. */
import { decodeBase64 } from '../../../libs/base/base64.ts';
import type { AdmissionPlugin, AdmissionRequest, DeepReadonlyAdmission } from '../../../libs/kind/admission.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { ApiError, internal } from '../../../libs/machinery/errors.ts';
import { applyJsonPatch, type JsonPatchOperation } from '../../../libs/machinery/patch/json-patch.ts';
import { jsonTypeOf } from '../../../libs/machinery/quote.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import type { SchemaSet } from '../../../libs/machinery/schema/ir.ts';
import { takeOver } from '../admission/dynamic/change.ts';
import { ReinvocationNotes } from '../admission/dynamic/reinvocation.ts';
import { type Form, type Subject, subjectOf } from '../admission/dynamic/subject.ts';
import { WebhookError } from './client.ts';
import { type CompiledWebhook, isExempt, Webhooks, wants } from './hooks.ts';
import { ask, calledInVain, denialBy, type ReviewResponse } from './review.ts';
import type { WebhookAdmissionOptions } from './validating.ts';

const NAME = 'MutatingAdmissionWebhook';

/** `schema`: the built-in one. */
export function mutatingWebhooks(options: WebhookAdmissionOptions & { readonly schema: SchemaSet }): AdmissionPlugin {
  const webhooks = new Webhooks(options.configurations);
  const { kinds, decide, schema } = options;
  return {
    name: NAME,
    handles: (request) => webhooks.all.length > 0 && !isExempt(request),
    async admit(ctx, request, registry) {
      const notes = ReinvocationNotes.of(request, NAME);
      for (const hook of webhooks.all) {
        if (!notes.shallCall(request, hook.key)) continue;
        const subject = subjectOf(kinds, request as DeepReadonlyAdmission);
        const form = await wants(hook, ctx, subject, registry, decide);
        if (!form) continue;
        let changed = false;
        try {
          const response = await ask(options, 'admit', hook, ctx, subject, form, registry);
          if (!response.allowed) throw denialBy(hook.name, response.status);
          changed = await patch(hook, response, ctx, request, subject, form, schema);
        } catch (error) {
          if (error instanceof ApiError) throw error;
          if (!(error instanceof WebhookError)) throw internal((error as Error).message);
          if (hook.webhook.failurePolicy === 'Ignore') continue;
          throw calledInVain(hook.name, error);
        }
        if (changed) {
          notes.requireEarlierOnes();
          if (request.again) request.again.wanted = true;
        }
        if ('reinvocationPolicy' in hook.webhook && hook.webhook.reinvocationPolicy === 'IfNeeded')
          notes.called(hook.key);
      }
      notes.finish(request);
    },
  };
}

/** Applies a webhook's patch; whether the object is another one now. What cannot be applied is nobody's policy: 500. */
async function patch(
  { name }: CompiledWebhook,
  { patch: encoded, patchType }: ReviewResponse,
  ctx: RequestContext,
  request: AdmissionRequest,
  subject: Subject,
  form: Form,
  schema: SchemaSet,
): Promise<boolean> {
  if (encoded === undefined) return false;
  if (patchType !== 'JSONPatch') throw new WebhookError(`unsupported patch type ${JSON.stringify(patchType)}`);
  const operations = operationsOf(encoded);
  if (operations.length === 0) return false;
  const { object } = subject.show(form);
  if (!object) {
    const what = `admission webhook ${JSON.stringify(name)} attempted to modify the object`;
    throw internal(`${what}, which is not supported for this operation`);
  }
  const changed = applyJsonPatch(object, operations);
  if (sameValue(changed, object)) return false;
  await takeOver(ctx, request, subject, form, changed, schema);
  return true;
}

function operationsOf(encoded: string): readonly JsonPatchOperation[] {
  const bad = (why: string) => new WebhookError(`received undecodable patch in webhook response: ${why}`);
  let value: unknown;
  try {
    const bytes = decodeBase64(encoded);
    if (!bytes) throw new Error('illegal base64 data');
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw bad((error as Error).message);
  }
  if (value === null) return [];
  if (!Array.isArray(value))
    throw bad(`json: cannot unmarshal ${jsonTypeOf(value)} into Go value of type jsonpatch.Patch`);
  return value as JsonPatchOperation[];
}
