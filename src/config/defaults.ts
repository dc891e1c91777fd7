// The hub's default addresses: `--help` shows them without loading a section.
export const DEFAULTS = { listen: "127.0.0.1:8080", admin: "127.0.0.1:9901" } as const;
