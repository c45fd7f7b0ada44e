/** Admission webhooks: their configurations compiled, and which of them a request meets. */
import { CONDITION, compileExpression } from '../../../api/admissionregistration/expressions.ts';
import type { MutatingWebhook, ValidatingWebhook } from '../../../api/types/admissionregistration/v1.generated.ts';
import type { AdmissionRequest } from '../../../libs/kind/admission.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { type Condition, type Decide, matchConditions, valuesOf } from '../admission/dynamic/expressions.ts';
import { type Constraints, match } from '../admission/dynamic/matching.ts';
import type { Form, Subject } from '../admission/dynamic/subject.ts';
import type { Source } from '../admission/policy/hooks.ts';
import { refused } from '../admission/refusal.ts';

export type Webhook = ValidatingWebhook | MutatingWebhook;

export interface Configuration extends ApiObject {
  webhooks?: Webhook[];
}

export interface CompiledWebhook {
  readonly webhook: DeepReadonly<Webhook>;
  readonly name: string;
  /** Of its configuration and its place there: names need not be unique across configurations. */
  readonly key: string;
  readonly configuration: string;
  readonly constraints: Constraints;
  readonly conditions: readonly Condition[];
}

/** All webhooks of a kind of configurations, by the configurations' names; compiled anew when one has changed. */
export class Webhooks {
  readonly #source: Source<Configuration>;
  #version = -1;
  #all: readonly CompiledWebhook[] = [];

  constructor(source: Source<Configuration>) {
    this.#source = source;
  }

  get all(): readonly CompiledWebhook[] {
    const version = this.#source.version();
    if (version === this.#version) return this.#all;
    this.#version = version;
    const sorted = [...this.#source.all()].sort((a, b) =>
      (a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1,
    );
    this.#all = sorted.flatMap(({ metadata, webhooks = [] }) =>
      webhooks.map((webhook, i) => compile(webhook, metadata?.name ?? '', i)),
    );
    return this.#all;
  }
}

function compile(webhook: DeepReadonly<Webhook>, configuration: string, at: number): CompiledWebhook {
  const name = webhook.name ?? '';
  return {
    webhook,
    name,
    configuration,
    key: `${configuration}/${at}/${name}`,
    constraints: {
      rules: webhook.rules ?? [],
      equivalent: webhook.matchPolicy !== 'Exact',
      namespaceSelector: webhook.namespaceSelector,
      objectSelector: webhook.objectSelector,
    },
    conditions: (webhook.matchConditions ?? []).map(({ name: label = '', expression = '' }) => ({
      name: label,
      source: expression.trim(),
      expression: compileExpression(expression.trim(), { params: false, authorizer: true }, CONDITION),
    })),
  };
}

const WEBHOOK_KINDS: ReadonlySet<string> = new Set([
  'validatingwebhookconfigurations',
  'mutatingwebhookconfigurations',
]);

/** Webhooks are not asked about webhooks and policies, so that a bad one can always be taken away. */
export function isExempt({ kind }: Pick<AdmissionRequest, 'kind'>): boolean {
  if (kind.group !== 'admissionregistration.k8s.io') return false;
  return WEBHOOK_KINDS.has(kind.resource) || /^(validating|mutating)admissionpolic/.test(kind.resource);
}

/** The version in which a webhook wants to see a request; undefined: not at all. Throws 403 for a broken condition. */
export async function wants(
  { webhook, constraints, conditions }: CompiledWebhook,
  ctx: RequestContext,
  subject: Subject,
  registry: Registry,
  decide: Decide,
): Promise<Form | undefined> {
  const form = await match(constraints, subject, registry, 'nothing');
  if (!form || conditions.length === 0) return form;
  const matched = matchConditions(conditions, await valuesOf(ctx, subject, form, registry, decide));
  if (matched.error === undefined) return matched.matches ? form : undefined;
  if (webhook.failurePolicy === 'Ignore') return undefined;
  throw refused(subject.request, matched.error);
}
