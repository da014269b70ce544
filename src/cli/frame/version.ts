// The build's version. The file has no imports, so that `orch version` loads nothing else.

declare const BUILD_VERSION: string | undefined;
declare const BUILD_COMMIT: string | undefined;

/** The version that scripts/build.ts sets. A run from source has a version of its own. */
export const VERSION = typeof BUILD_VERSION === "string" ? BUILD_VERSION : "0.0.0-source";
export const COMMIT = typeof BUILD_COMMIT === "string" ? BUILD_COMMIT : "source";

/** Returns the output of `orch version`. */
export function versionText(json: boolean): string {
  if (!json) return `orch ${VERSION} (${COMMIT}, ${process.platform}-${process.arch})`;
  const { platform, arch } = process;
  return JSON.stringify({ version: VERSION, commit: COMMIT, os: platform, arch, bun: Bun.version });
}
