//! Which biases are trained beside the updates.

use burn::tensor::{DType, TensorData};
use serde::{Deserialize, Serialize};

use super::{LowRank, plan::Planned};
use crate::{error::TunerError, method::InitContext};

/// Which biases are trained beside the updates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoraBias {
    /// None.
    #[default]
    None,
    /// Those of the projections that are updated.
    LoraOnly,
}

impl LoraBias {
    /// The first values of the bias of one update, if it gets one.
    pub(super) fn of(
        self,
        planned: &Planned,
        context: &InitContext<'_>,
    ) -> Result<Option<TensorData>, TunerError> {
        if self == Self::None {
            return Ok(None);
        }
        // A model that does not give its weights would look like one without biases.
        planned.weight("bias", context)?;
        let bias = planned.target.bias(context.base);
        Ok(bias.map(|bias| bias.into_data_dtype(DType::F32)))
    }

    /// Refuses a key that has no effect.
    pub(super) fn check(self, updates: &[LowRank]) -> Result<(), TunerError> {
        if self == Self::LoraOnly && updates.iter().all(|update| update.bias.is_none()) {
            let message = "has no effect: no target of this model has a bias\nhint: leave it out";
            return Err(TunerError::key("bias", message));
        }
        Ok(())
    }
}
