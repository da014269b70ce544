// argv → command → exit code. The only place that ends the process.

import { versionText } from "./cli/version";

const argv = process.argv.slice(2);
if (argv[0] === "version" || argv[0] === "--version") console.log(versionText(argv.includes("--json")));
process.exit(0);
