"""scikit-learn's conventions for an estimator, without importing scikit-learn, which takes longer than a whole answer.

Parameters are those of `__init__`, which keeps them as they are. An estimator can be cloned, searched and put into a
pipeline, and scikit-learn's own checks run on it.
"""

import inspect
from typing import Any, Self

from common.utils.errors import InputError, UserError, check_known


class Estimator:
    """Parameters by name, tags, and the columns of a fit (`feature_names_in_`, `n_features_in_`)."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters of `__init__` by name; `deep` has no meaning, since none is an estimator."""
        return {name: getattr(self, name) for name in parameters(type(self))}

    def set_params(self, **params: Any) -> Self:
        """Set parameters; InputError for one that `__init__` lacks."""
        for name, value in params.items():
            try:
                check_known(f"parameter of {type(self).__name__}", parameters(type(self)), name)
            except UserError as error:
                raise InputError(str(error)) from None
            setattr(self, name, value)
        return self

    def __getattr__(self, name: str) -> Any:
        """What a fit has learned (`_of_fit`), which is there from then on."""
        of_fit = self.__dict__.get("_of_fit", {})
        if name not in of_fit:
            raise AttributeError(f"{type(self).__name__} has no {name!r}, or only once it is fitted")
        return of_fit[name]

    def __repr__(self) -> str:
        """The class and the parameters that differ from their defaults."""
        changed = ((n, getattr(self, n)) for n, p in parameters(type(self)).items() if getattr(self, n) != p.default)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in changed)})"

    def __sklearn_is_fitted__(self) -> bool:
        """Whether a fit has ended."""
        return getattr(self, "_fitted", None) is not None

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn should know: a transformer of tables with words, ids and gaps."""
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        takes = InputTags(two_d_array=True, string=True, categorical=True, allow_nan=True)
        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            input_tags=takes,
        )

    def _take_names(self, names: list[Any]) -> None:
        """Keep the names of the columns that were fitted on."""
        import numpy as np

        self.feature_names_in_ = np.array(names, dtype=object)
        self.n_features_in_ = len(names)


def parameters(kind: type) -> dict[str, inspect.Parameter]:
    """The parameters of a class's `__init__` by name."""
    found = inspect.signature(kind).parameters
    return {name: parameter for name, parameter in found.items() if parameter.kind is not parameter.VAR_KEYWORD}


def not_fitted(message: str) -> UserError:
    """The error for an estimator that has learned nothing, which scikit-learn knows as NotFittedError."""
    from sklearn.exceptions import NotFittedError

    return type("NotFitted", (UserError, NotFittedError), {})(message)
