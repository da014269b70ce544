// Which build this is. Kept apart and without imports, so that `orch version` loads nothing else.

declare const BUILD_VERSION: string | undefined;
declare const BUILD_COMMIT: string | undefined;

/** Baked in by scripts/build.ts; a run from source says so. */
export const VERSION = typeof BUILD_VERSION === "string" ? BUILD_VERSION : "0.0.0-source";
export const COMMIT = typeof BUILD_COMMIT === "string" ? BUILD_COMMIT : "source";

/** What `orch version` prints. */
export function versionText(json: boolean): string {
  if (!json) return `orch ${VERSION} (${COMMIT}, ${process.platform}-${process.arch})`;
  const { platform, arch } = process;
  return JSON.stringify({ version: VERSION, commit: COMMIT, os: platform, arch, bun: Bun.version });
}
