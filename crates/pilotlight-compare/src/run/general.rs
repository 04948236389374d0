//! General text in a run: what training made the model forget.

use std::time::Instant;

use pilotlight_train::Tuned;
use pilotlight_tuners::TunerConfig;

use super::{GENERAL_FILE, Run, RunObserver, Stage, save::save_lines};
use crate::{
    base::Base,
    error::CompareError,
    forgetting::{Forgetting, GeneralText},
};

impl Run<'_> {
    /// Tests the base alone, where something that was trained will stand beside it.
    pub(super) fn general(
        &mut self,
        base: &Base,
        observer: &mut dyn RunObserver,
    ) -> Result<Option<GeneralText>, CompareError> {
        let report = &self.config.report;
        let is_trained = !report.test_only || matches!(self.config.tuner, TunerConfig::Saved(_));
        if report.general.is_none() || report.trial || self.ensemble.is_some() || !is_trained {
            return Ok(None);
        }
        observer.stage(Stage::General);
        let start = Instant::now();
        let texts = GeneralText::before(base, self.config, self.options.origins, observer)?;
        self.seconds.general = start.elapsed().as_secs_f64();
        Ok(texts)
    }

    /// Tests what was trained on the same texts, and writes the outcomes.
    pub(super) fn forgetting(
        &mut self,
        general: Option<GeneralText>,
        tuned: &Tuned,
        observer: &mut dyn RunObserver,
    ) -> Result<Option<Forgetting>, CompareError> {
        let Some(general) = general else {
            return Ok(None);
        };
        observer.stage(Stage::General);
        let start = Instant::now();
        let outcomes = general.after(tuned, observer)?;
        save_lines(self.folder, GENERAL_FILE, &outcomes)?;
        let forgetting = general.forgetting(&outcomes, &self.config.report.bootstrap());
        self.seconds.general += start.elapsed().as_secs_f64();
        Ok(forgetting)
    }
}
