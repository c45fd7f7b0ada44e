/** The built-in types, for tests of `libs/` that play recorded requests. */
export { builtinSchema, builtinTypeOf } from '../../api/schema/builtin.ts';
