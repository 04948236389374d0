//! The names of the places inside a transformer layer where a method may act.

/// A linear projection inside a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Projection {
    /// Queries of the attention.
    Query,
    /// Keys of the attention.
    Key,
    /// Values of the attention.
    Value,
    /// Queries, keys and values by one fused matrix (GPT-2).
    QueryKeyValue,
    /// The attention's output projection.
    Output,
    /// The gate of a gated feed-forward.
    Gate,
    /// The widening projection of the feed-forward.
    Up,
    /// The narrowing projection of the feed-forward.
    Down,
}

/// One projection of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Site {
    /// Index of the layer, from 0.
    pub layer: usize,
    /// The projection inside the layer.
    pub projection: Projection,
}

/// One of the two residual branches of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sublayer {
    /// The attention branch.
    Attention,
    /// The feed-forward branch.
    FeedForward,
}
