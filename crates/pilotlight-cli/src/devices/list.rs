//! Several devices that share every batch.

use std::{fmt, str::FromStr};

use super::{Backend, DeviceChoice};

/// The devices of a run, written with commas between: the first has the optimizer and evaluates, the others help it
/// with every batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceList {
    /// The first.
    pub(crate) first: DeviceChoice,
    /// Those behind it.
    pub(crate) helpers: Vec<DeviceChoice>,
}

impl DeviceList {
    /// The list of these; nothing if there are none.
    ///
    /// # Errors
    ///
    /// Why they do not go together.
    pub(crate) fn new(devices: &[DeviceChoice]) -> Result<Option<Self>, String> {
        let Some((&first, helpers)) = devices.split_first() else {
            return Ok(None);
        };
        let helpers = helpers.to_vec();
        let list = Self { first, helpers };
        list.problem().map_or(Ok(Some(list)), Err)
    }

    /// What is wrong with it.
    fn problem(&self) -> Option<String> {
        if self.helpers.is_empty() {
            return None;
        }
        let all: Vec<_> = [self.first]
            .into_iter()
            .chain(self.helpers.iter().copied())
            .collect();
        let is_cpu = |device: &DeviceChoice| {
            matches!(
                device,
                DeviceChoice::Given {
                    backend: Backend::Cpu,
                    ..
                }
            )
        };
        let mut named = all.iter().enumerate();
        named.find_map(|(index, device)| match device {
            DeviceChoice::Auto => Some("`auto` is one device: write the names of all".into()),
            // Of no use but to tests: its copies of the model share its cores.
            device if is_cpu(device) => None,
            device => all[..index].contains(device).then(|| {
                format!("`{device}` stands there twice: a GPU gains nothing from sharing a batch with itself")
            }),
        })
    }
}

impl From<DeviceChoice> for DeviceList {
    fn from(first: DeviceChoice) -> Self {
        Self {
            first,
            helpers: Vec::new(),
        }
    }
}

impl fmt::Display for DeviceList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        self.helpers
            .iter()
            .try_for_each(|device| write!(f, ",{device}"))
    }
}

impl FromStr for DeviceList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let devices = text.split(',').map(|name| name.trim().parse());
        let devices: Vec<DeviceChoice> = devices.collect::<Result<_, String>>()?;
        Ok(Self::new(&devices)?.expect("a text has a first part"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_written_as_they_are_read() {
        for text in ["auto", "cpu", "cpu,cpu", "cuda,cuda:1", "wgpu:1,cpu,wgpu"] {
            let list: DeviceList = text.parse().expect(text);
            assert_eq!(list.to_string(), text);
        }
        let spaced: DeviceList = "cuda:0, cuda:1".parse().expect("a list");
        assert_eq!(spaced.to_string(), "cuda,cuda:1");
        for (text, message) in [
            ("", "a device is"),
            ("cpu,", "a device is"),
            ("cuda,auto", "`auto` is one device"),
            ("cuda:1,cpu,cuda:1", "`cuda:1` stands there twice"),
            ("cuda,cuda:0", "`cuda` stands there twice"),
        ] {
            let error = text.parse::<DeviceList>().expect_err(text);
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
