// A rule of `http.rules`, as the program has it.
export interface HttpRuleConfig {
  /** `pkg.Service.Method`, as in google.api.Http selectors */
  readonly selector: string;
  /** the google.api.HttpRule in its JSON form, without selector */
  readonly rule: Readonly<Record<string, unknown>>;
}
