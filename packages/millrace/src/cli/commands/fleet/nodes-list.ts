import { formatMs } from "@millrace/core";
import { maskOf } from "../../../config/mask-of.ts";
import { command } from "../../command.ts";
import { nodesTable, shownNode } from "../../show/nodes.ts";
import { withClient } from "../../with-client.ts";

export const nodesList = command({
  name: "nodes list",
  summary:
    "List the nodes of the namespace: what they serve, how busy they are, what is ordered of them",
  usage: "",
  args: { min: 0, max: 0 },
  flags: {},
  fields: ["connection", "namespace", "masking"],
  examples: [["millrace nodes list", "One line a node; a lost one is listed for ten minutes"]],
  async run({ config }) {
    const mask = maskOf(config);
    const listed = await withClient(config, (client) => client.nodes.list());
    const nodes = listed.map((node) => shownNode(node, mask));
    return {
      json: nodes,
      text: (paint) =>
        nodes.length === 0
          ? `no node of namespace ${config.namespace} was heard of in the last ${formatMs(600_000)}\n`
          : nodesTable(nodes, paint),
    };
  },
});
