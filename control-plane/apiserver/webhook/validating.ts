/** ValidatingAdmissionWebhook: all that want to see a request are asked side by side. */
import type { AdmissionPlugin } from '../../../libs/kind/admission.ts';
import type { Decide } from '../admission/dynamic/expressions.ts';
import { subjectOf } from '../admission/dynamic/subject.ts';
import type { Source } from '../admission/policy/hooks.ts';
import type { KindSet } from '../registry/kind-set.ts';
import { WebhookError } from './client.ts';
import { type Configuration, isExempt, Webhooks, wants } from './hooks.ts';
import { ask, type Caller, calledInVain, denialBy } from './review.ts';

export interface WebhookAdmissionOptions extends Caller {
  readonly kinds: KindSet;
  readonly configurations: Source<Configuration>;
  readonly decide: Decide;
}

export function validatingWebhooks(options: WebhookAdmissionOptions): AdmissionPlugin {
  const webhooks = new Webhooks(options.configurations);
  const { kinds, decide } = options;
  return {
    name: 'ValidatingAdmissionWebhook',
    handles: (request) => webhooks.all.length > 0 && !isExempt(request),
    async validate(ctx, request, registry) {
      const subject = subjectOf(kinds, request);
      const asked = await Promise.all(
        webhooks.all.map(async (hook): Promise<Error | undefined> => {
          try {
            const form = await wants(hook, ctx, subject, registry, decide);
            if (!form) return undefined;
            const response = await ask(options, 'validating', hook, ctx, subject, form, registry);
            if (response.patch !== undefined) {
              throw new WebhookError(
                'received invalid webhook response: validating webhooks may not return response.patch',
              );
            }
            return response.allowed ? undefined : denialBy(hook.name, response.status);
          } catch (error) {
            if (!(error instanceof WebhookError)) return error as Error;
            return hook.webhook.failurePolicy === 'Ignore' ? undefined : calledInVain(hook.name, error);
          }
        }),
      );
      const first = asked.find((error) => error !== undefined);
      if (first) throw first;
    },
  };
}
