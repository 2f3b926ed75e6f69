// layout.c - what the state of a view, or of a source, looks like, as text: a line for each
// operator that keeps state (its node, its class, the version of its layout and what else that
// depends on); or the plan with the numbers of its nodes and the types of their columns. State that
// was written under one text may be read under the same only: operators find their tables by their
// nodes' numbers, and what has gone through one plan is not what another would have kept. Entry
// points: flow_graph_layout, flow_graph_source_layout, flow_plan_layout.
#include "flow/flow_int.h"

static void add_op(const flow_op *op, base_buf *buf) {
    base_buf_printf(buf, "op %u %s %u", op->node_id, op->class->name, op->class->layout);
    if (op->class->describe != NULL) {
        base_buf_add_cstr(buf, ": ");
        op->class->describe(op, buf);
    }
    base_buf_add_byte(buf, '\n');
}

static void note_node(void *arg, const plan_node *node, base_buf *buf) {
    (void)arg;
    base_buf_printf(buf, " #%u (", node->id);
    for (uint32_t c = 0; c < node->ncolumns; c++) {
        if (c > 0) base_buf_add_cstr(buf, ", ");
        col_type_format(&node->columns[c].type, buf);
    }
    base_buf_add_byte(buf, ')');
}

void flow_plan_layout(const plan_node *plan, base_buf *buf) {
    plan_node_print_noted(plan, note_node, NULL, buf);
}

void flow_graph_layout(const flow_graph *graph, uint32_t view_id, base_buf *buf) {
    for (uint32_t i = 0; i < graph->nops; i++) {
        const flow_op *op = graph->ops[i];
        if (op->view_id == view_id && op->class->layout > 0) add_op(op, buf);
    }
}

void flow_graph_source_layout(const flow_graph *graph, uint32_t object_id, base_buf *buf) {
    for (uint32_t i = 0; i < graph->ninputs; i++) {
        if (graph->inputs[i].object->id == object_id) add_op(graph->sources[i], buf);
    }
}
