// Where the hub listens by default: `--help` says it, and loads no section for it.
export const DEFAULTS = { listen: "127.0.0.1:8080", admin: "127.0.0.1:9901" } as const;
