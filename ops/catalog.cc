#include "ops/catalog.h"

#include "ops/apply.h"
#include "ops/array.h"
#include "ops/conv.h"
#include "ops/flow.h"
#include "ops/gather.h"
#include "ops/joining.h"
#include "ops/lookup.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/nn.h"
#include "ops/random.h"
#include "ops/rearranging.h"
#include "ops/reduce.h"
#include "ops/reshape.h"
#include "ops/slicing.h"
#include "ops/softmax.h"
#include "ops/state.h"
#include "ops/where.h"

namespace cairn {

const OpSet& compute_ops() {
  // Never destroyed: objects of static storage may still run sessions.
  static const OpSet& kOps = *new OpSet([] {
    OpSet ops;
    for (const auto family :
         {apply_ops,   arg_ops,     array_ops,   binary_ops, cast_ops,  compare_ops, conv_ops,        flow_ops,
          gather_ops,  joining_ops, lookup_ops,  matmul_ops, nn_ops,    random_ops,  rearranging_ops, reduce_ops,
          reshape_ops, slicing_ops, softmax_ops, state_ops,  unary_ops, where_ops})
      ops = ops + OpSet(family());
    return ops;
  }());
  return kOps;
}

}  // namespace cairn
