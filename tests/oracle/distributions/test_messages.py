"""Errors, checks, representations and constraints of distributions and transforms, word for word as PyTorch's."""
import pytest

import flambeau
import flambeau.distributions

torch = pytest.importorskip("torch")

EXPRESSIONS = [
    "N(0.,-1.)", "N(t.zeros(2),1.).log_prob(t.zeros(3))", "N('a',1)", "N(0,1).loc.dtype", "D.Bernoulli(2.)",
    "D.Bernoulli(.5).log_prob(t.tensor(.3))", "D.Bernoulli(.5,.5)", "D.Bernoulli()", "D.Categorical(t.tensor(1.))",
    "D.Categorical(t.ones(3)).log_prob(t.tensor(5))", "D.Categorical()", "N(0.,1.).log_prob(3)",
    "N(t.zeros(2),1.).log_prob(t.tensor([0.,float('nan')]))", "D.Uniform(1.,0.)",
    "D.Uniform(t.zeros(2),t.tensor([1.,-1]))", "D.Uniform(0.,1.).log_prob(t.tensor(2.))",
    "D.MultivariateNormal(t.zeros(2), t.eye(3))", "D.MultivariateNormal(t.zeros(2), -t.eye(2))",
    "D.MultivariateNormal(t.zeros(2))", "D.MultivariateNormal(t.tensor(0.), t.eye(2))",
    "D.MultivariateNormal(t.zeros(2), t.zeros(2))", "D.MultivariateNormal(t.zeros(2), precision_matrix=t.zeros(2))",
    "D.MultivariateNormal(t.zeros(2), scale_tril=t.zeros(2))",
    "D.LowRankMultivariateNormal(t.tensor(0.), t.eye(2), t.ones(2))",
    "D.LowRankMultivariateNormal(t.zeros(2), t.ones(2), t.ones(2))",
    "D.LowRankMultivariateNormal(t.zeros(2), t.ones(3,2), t.ones(2))",
    "D.LowRankMultivariateNormal(t.zeros(2), t.ones(2,1), t.ones(3))", "D.Dirichlet(t.tensor(1.))",
    "D.Multinomial(t.tensor(3),t.ones(3))", "D.Multinomial(3,t.ones(3)).log_prob(t.ones(4))",
    "D.Multinomial(3,t.ones(3)).log_prob(t.ones(3)*2)", "D.Binomial(3)", "repr(D.Binomial(3,.2))",
    "D.Binomial(t.tensor([3,4]),t.tensor(.2)).enumerate_support()", "D.NegativeBinomial(3.)", "D.Geometric()",
    "D.Geometric(t.tensor(0.))", "D.Geometric(t.tensor([0.,.5]))", "D.Independent(N(0.,1.),1)",
    "D.MixtureSameFamily(N(0.,1.),N(0.,1.))", "D.MixtureSameFamily(D.Categorical(t.ones(3)),3)",
    "D.MixtureSameFamily(D.Categorical(t.ones(3)),N(t.zeros(2),1.))",
    "D.MixtureSameFamily(D.Categorical(t.ones(2,3)),N(t.zeros(4,3),1.))", "D.LKJCholesky(1)",
    "D.Wishart(t.tensor(1.),t.eye(3))", "D.Wishart(t.tensor(4.))", "D.Wishart(t.tensor(4.),t.ones(3))",
    "N(0.,1.).enumerate_support()", "D.Bernoulli(.5).rsample()", "D.Bernoulli(.5).cdf(t.tensor(1.))",
    "D.Distribution(validate_args=False).mean", "D.Distribution(validate_args=False).support",
    "D.Distribution(validate_args=False).sample()", "D.Distribution(validate_args=False).arg_constraints",
    "D.Distribution(validate_args=False).mode", "D.Distribution(validate_args=False).expand(())",
    "D.Distribution.set_default_validate_args(3)", "repr(N(0.,1.))", "repr(N(t.zeros(2),1.))",
    "repr(D.Independent(N(t.zeros(2),1.),1))", "repr(D.Categorical(t.ones(3)))",
    "repr(D.TransformedDistribution(N(0.,1.),T.ExpTransform()))",
    "repr(D.MixtureSameFamily(D.Categorical(t.ones(3)),N(t.zeros(3),1.)))", "repr(D.LKJCholesky(3))",
    "repr(D.Gumbel(0.,1.))", "repr(D.Wishart(t.tensor(4.),t.eye(3)))", "repr(D.Chi2(2.))",
    "repr(D.VonMises(t.tensor(0.),t.tensor(1.)))", "repr(D.LogNormal(0.,1.))", "repr(D.Multinomial(3,t.ones(3)))",
    "repr(D.OneHotCategorical(t.ones(3)))", "repr(D.RelaxedBernoulli(t.tensor(1.),t.rand(3)))",
    "D.kl_divergence(D.Cauchy(0.,1.),N(0.,1.))", "repr(T.AffineTransform(0.,1.))", "T.AffineTransform(0.,-1.).sign",
    "T.AffineTransform(0.,t.tensor([1.,-2])).sign", "repr(T.ComposeTransform([T.ExpTransform(),T.AbsTransform()]))",
    "T.ComposeTransform([T.ExpTransform(),T.AbsTransform()]).sign", "T.PowerTransform(t.tensor(2.)).sign",
    "repr(T.IndependentTransform(T.ExpTransform(),1))", "repr(T.ExpTransform().inv)",
    "repr(T.StackTransform([T.ExpTransform()]))", "T.ReshapeTransform((2,),(1,2)).sign",
    "T.StickBreakingTransform().sign", "T.ExpTransform().inv.sign", "T.AbsTransform().inv(t.tensor(1.))",
    "T.AbsTransform().log_abs_det_jacobian(t.tensor(1.),t.tensor(1.))", "T.Transform(cache_size=3)",
    "T.Transform().event_dim", "T.Transform()._call(1)", "D.biject_to(C.lower_cholesky)", "D.biject_to(3)",
    "D.biject_to.register(3,3)", "repr(D.biject_to(C.positive))", "repr(D.biject_to(C.interval(0.,1.)))",
    "repr(D.biject_to(C.interval(1.,3.)))", "repr(D.transform_to(C.greater_than(2.)))",
    "repr(D.transform_to(C.real_vector))", "repr(D.biject_to(C.real_vector))",
    "repr(D.transform_to(C.less_than(2.)))", "repr(D.transform_to(C.cat([C.positive,C.real])))",
    "repr(D.biject_to(C.simplex))", "repr(D.transform_to(C.simplex))",
    "repr(D.biject_to(C.interval(t.tensor(0.),t.tensor(1.))))", "T.ReshapeTransform((2,),(3,))",
    "T.StickBreakingTransform().forward_shape(())", "T.CorrCholeskyTransform().forward_shape((4,))",
    "T.CorrCholeskyTransform().inverse_shape((4,3))", "T.ReshapeTransform((2,),(1,2)).forward_shape((3,))",
    "T.ReshapeTransform((2,),(1,2)).forward_shape(())", "T.CorrCholeskyTransform().forward_shape((2,6))",
    "D.TransformedDistribution(N(0.,1.),3)", "D.TransformedDistribution(N(0.,1.),[3])",
    "D.TransformedDistribution(N(0.,1.),T.StickBreakingTransform())",
    "D.TransformedDistribution(N(0.,1.),T.AbsTransform()).log_prob(t.tensor(1.))", "C.dependent.check(1)",
    "C.dependent.event_dim", "C.dependent.is_discrete", "C.independent(C.real,1).check(t.tensor(1.))",
    "C.is_dependent(C.real)", "C.dependent(is_discrete=True,event_dim=1).event_dim",
    "C.is_dependent(D.Uniform.support)", "repr(D.Uniform.support)", "D.Uniform.support.event_dim",
    "C.is_dependent(D.Normal.support)", "U.broadcast_all(1,'a')", "U.broadcast_all(1,2)",
    "U.broadcast_all(1,t.zeros(2,dtype=t.double))", "U.vec_to_tril_matrix(t.arange(6.))",
    "U.vec_to_tril_matrix(t.arange(5.))", "U.tril_matrix_to_vec(t.arange(9.).reshape(3,3))",
    "U.vec_to_tril_matrix(t.arange(3.),-1)", "U.tril_matrix_to_vec(t.arange(9.).reshape(3,3),5)",
    "U.clamp_probs(t.tensor([0.,1.]))", "U.probs_to_logits(t.tensor([0.1,1.]),True)",
    "U.logits_to_probs(t.tensor([0.1,1.]))", "C.boolean.check(t.tensor([0.,.5,1]))",
    "C.simplex.check(t.tensor([[.5,.5],[.5,.6],[-1,2]]))",
    "C.positive_definite.check(t.tensor([[[1.,2],[2,1]],[[2,1],[1,2]],[[1,0],[1,1]]]))",
    "C.positive_definite.check(t.tensor([[[2.,1],[1,2]],[[1,2],[2,1]]]))",
    "C.positive_semidefinite.check(t.tensor([[[2.,1],[1,2]],[[1,2],[2,1]]]))",
    "C.lower_cholesky.check(t.tensor([[[2.,1],[1,2]],[[1,0],[2,1]]]))",
    "C.lower_triangular.check(t.tensor([[[2.,1],[1,2]],[[1,0],[2,-1]]]))",
    "C.corr_cholesky.check(t.tensor([[[1.,0],[.6,.8]],[[1,0],[2,1]]]))", "C.square.check(t.ones(2,3,3))",
    "C.symmetric.check(t.ones(2,3,3))", "C.one_hot.check(t.tensor([[0,1,0],[1,1,0]]))",
    "C.multinomial(3).check(t.tensor([[1,1.],[2,3]]))", "C.integer_interval(1,3).check(t.tensor([1.,2.5,4]))",
    "C.nonnegative_integer.check(t.tensor([0.,-1,1.5]))", "C.half_open_interval(0.,1.).check(t.tensor([0.,1.]))",
    "C.less_than(1.).check(t.tensor([0.,1.]))", "C.cat([C.positive,C.real],0,[1,2]).check(t.tensor([-1.,1,2]))",
    "C.stack([C.positive,C.real],0).check(t.tensor([[-1.],[1]]))",
    "C.MixtureSameFamilyConstraint(C.positive).check(t.tensor([1.,-1]))",
    "repr(C.MixtureSameFamilyConstraint(C.positive))", "repr(C.independent(C.positive,2))",
    "C.independent(C.positive,1).check(t.tensor([[1.,-1],[1,2]]))", "repr(C.integer_interval(1,2))", "repr(C.real)",
    "repr(C.cat([C.real]))", "repr(C.multinomial(3))", "repr(C.dependent)", "repr(C.dependent_property())",
    "repr(C.half_open_interval(0,1))", "repr(C.less_than(3))", "repr(C.stack([C.real]))",
    "C.cat([C.real,C.boolean]).is_discrete", "C.stack([C.simplex],-1).event_dim", "C.stack([C.simplex],-2).event_dim",
    "repr(C.one_hot)", "repr(C.positive_semidefinite)",
]


def outcome(module, expression):
    d = module.distributions
    names = {"t": module, "D": d, "N": d.Normal, "T": d.transforms, "C": d.constraints, "U": d.utils}
    try:
        result = repr(eval(expression, names))
    except Exception as error:
        result = f"{type(error).__name__}: {error}"
    return result.replace("flambeau", "torch")


@pytest.mark.filterwarnings("ignore:Low df values detected", "ignore::FutureWarning")
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_agrees(expression):
    assert outcome(flambeau, expression) == outcome(torch, expression)
