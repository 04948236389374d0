//! `pilot generate`: a text goes on.

use clap::Args;
use pilotlight_compare::generated::end_tokens;
use pilotlight_core::TokenRow;
use pilotlight_data::Tokenizer;
use pilotlight_transformer::{GenerateOptions, generate};
use serde_json::json;

use crate::{
    console::{Console, Output},
    devices::DeviceChoice,
    failure::Failure,
    loaded::{Loaded, RawModel},
};

/// Write on behind a text
#[derive(Debug, Args)]
#[command(after_help = "\
The text is printed as it comes; the most probable token is taken unless a temperature is given.

Examples:
  pilot generate --model MODEL --prompt \"The capital of France is\"
  pilot generate --model MODEL --prompt \"Review:\" --temperature 0.8 --top-p 0.95")]
pub(crate) struct RawGenerate {
    #[command(flatten)]
    model: RawModel,
    /// The text to begin with
    #[arg(long, value_name = "TEXT")]
    prompt: String,
    /// The most tokens to write
    #[arg(long, value_name = "N", default_value_t = 64)]
    max_tokens: usize,
    /// 0 takes the most probable token, 1 draws from the model's own distribution
    #[arg(long, value_name = "NUMBER", default_value_t = 0.0)]
    temperature: f64,
    /// Draw among the fewest tokens that together have this probability
    #[arg(long, value_name = "NUMBER", default_value_t = 1.0)]
    top_p: f64,
    /// The same seed writes the same text
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Print one line of JSON at the end: prompt, text and tokens
    #[arg(long)]
    json: bool,
}

/// What is to be written on, by what.
pub(crate) struct Generate {
    loaded: Loaded,
    prompt: String,
    row: TokenRow,
    options: GenerateOptions,
    json: bool,
}

impl Generate {
    pub(crate) fn new(
        raw: &RawGenerate,
        device: DeviceChoice,
        console: &Console,
    ) -> Result<Self, Failure> {
        if !(raw.temperature >= 0.0 && raw.temperature.is_finite()) {
            return Err(
                Failure::input(format!("`--temperature` is {}", raw.temperature)).hint(
                    "0 takes the most probable token, 1 draws from the model's own distribution",
                ),
            );
        }
        if !(raw.top_p > 0.0 && raw.top_p <= 1.0) {
            return Err(Failure::input(format!("`--top-p` is {}", raw.top_p))
                .hint("it is a probability: more than 0, at most 1"));
        }
        let loaded = raw.model.load(device, console)?;
        loaded.check_words()?;
        if !loaded.tuned.base.is_decoder() {
            return Err(Failure::input(format!(
                "{} is an encoder, which writes no text",
                raw.model.base.model
            ))
            .hint("use a decoder, for example Llama, Qwen or GPT-2"));
        }
        let row = TokenRow::new(encode(&loaded.tokenizer, &raw.prompt)?);
        if row.ids.is_empty() && loaded.tuned.tuner.config().inserted() == 0 {
            return Err(Failure::input("the prompt has no tokens")
                .hint("begin with a word by `--prompt TEXT`"));
        }
        // The model itself stops where its positions end.
        loaded.check_length(row.ids.len()).map_err(|found| {
            Failure::input(format!("the prompt is too long: {found}")).hint("shorten it")
        })?;
        let options = GenerateOptions {
            max_tokens: raw.max_tokens,
            temperature: raw.temperature,
            top_p: raw.top_p,
            seed: raw.seed,
            eos: end_tokens(loaded.folder.as_deref(), &loaded.tokenizer)?,
        };
        Ok(Self {
            loaded,
            prompt: raw.prompt.clone(),
            row,
            options,
            json: raw.json,
        })
    }

    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut output = Output::open();
        let mut text = Text::new(&self.loaded.tokenizer);
        let mut written = Ok(());
        let tuned = &self.loaded.tuned;
        let tokens = generate(
            &tuned.base,
            &tuned.tuner,
            &self.row,
            &self.options,
            &mut |token| {
                if written.is_ok() && !self.json {
                    written = text.add(token).and_then(|part| {
                        output.text(&part)?;
                        output.flush()
                    });
                }
            },
        );
        written?;
        if self.json {
            let text = self.loaded.tokenizer.decode(&tokens, true)?;
            output.json(&json!({ "prompt": self.prompt, "text": text, "tokens": tokens }))?;
        } else {
            output.line(&text.rest()?)?;
        }
        output.flush()
    }
}

/// The tokens of a text that goes on: the special ones that the tokenizer puts behind a text are left out.
fn encode(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>, Failure> {
    let plain = tokenizer.encode(text, false)?;
    let mut ids = tokenizer.encode(text, true)?;
    while ids.last().is_some_and(|&last| tokenizer.is_special(last)) && plain.last() != ids.last() {
        ids.pop();
    }
    Ok(ids)
}

/// Tokens as a text that grows: what a later token may still change (parts of a character) is held back.
struct Text<'a> {
    tokenizer: &'a Tokenizer,
    tokens: Vec<u32>,
    /// Bytes of the text that were given out.
    n_given: usize,
}

impl<'a> Text<'a> {
    fn new(tokenizer: &'a Tokenizer) -> Self {
        Self {
            tokenizer,
            tokens: Vec::new(),
            n_given: 0,
        }
    }

    /// What a token adds.
    fn add(&mut self, token: u32) -> Result<String, Failure> {
        self.tokens.push(token);
        let text = self.tokenizer.decode(&self.tokens, true)?;
        match text.ends_with(char::REPLACEMENT_CHARACTER) {
            true => Ok(String::new()),
            false => Ok(self.give(&text)),
        }
    }

    /// What was held back.
    fn rest(&mut self) -> Result<String, Failure> {
        let text = self.tokenizer.decode(&self.tokens, true)?;
        Ok(self.give(&text))
    }

    fn give(&mut self, text: &str) -> String {
        let new = text.get(self.n_given..).unwrap_or_default().to_owned();
        self.n_given = text.len().max(self.n_given);
        new
    }
}
