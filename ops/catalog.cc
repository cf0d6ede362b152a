#include "ops/catalog.h"

#include "ops/array/array.h"
#include "ops/array/gather.h"
#include "ops/array/joining.h"
#include "ops/array/rearranging.h"
#include "ops/array/reshape.h"
#include "ops/array/slicing.h"
#include "ops/array/where.h"
#include "ops/conv/conv.h"
#include "ops/flow/flow.h"
#include "ops/math/math.h"
#include "ops/math/matmul.h"
#include "ops/math/reduce.h"
#include "ops/nn/nn.h"
#include "ops/nn/softmax.h"
#include "ops/random/random.h"
#include "ops/state/apply.h"
#include "ops/state/lookup.h"
#include "ops/state/state.h"

namespace cairn {

const OpSet& compute_ops() {
  // Never destroyed: objects of static storage may still run sessions.
  static const OpSet& kOps = *new OpSet([] {
    OpSet ops;
    for (const auto family :
         {apply_ops,   arg_ops,     array_ops,  binary_ops,      cast_ops,   compare_ops,
          conv_ops,    flow_ops,    gather_ops, joining_ops,     lookup_ops, matmul_ops,
          nn_ops,      pool_ops,    random_ops, rearranging_ops, reduce_ops, reshape_ops,
          slicing_ops, softmax_ops, state_ops,  top_k_ops,       unary_ops,  where_ops})
      ops = ops + OpSet(family());
    return ops;
  }());
  return kOps;
}

}  // namespace cairn
