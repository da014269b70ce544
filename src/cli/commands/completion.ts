// `orch completion`: a script that a shell sources.

import { command, type AnyCommand, type CommandEntry } from "../frame/command";
import { completionScript, SHELLS } from "../frame/completion";
import { EXIT, UsageError } from "../failure";

export const completionOf = (commands: readonly CommandEntry[]): AnyCommand =>
  command({
    operands: ["<bash|zsh|fish>"],
    talks: false,
    examples: [
      ["source <(orch completion bash)", "now"],
      ["orch completion fish > ~/.config/fish/completions/orch.fish", "for good"],
    ],
    async run(context, { args: [typed = ""] }) {
      const shell = SHELLS.find((one) => one === typed);
      if (shell === undefined) {
        throw new UsageError(`${typed}: no completion for this shell`, `There is: ${SHELLS.join(", ")}`);
      }
      context.text(await completionScript(commands, shell));
      return EXIT.done;
    },
  });
