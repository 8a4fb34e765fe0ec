//! The tree that batches are built on.

use crate::state::State;
use crate::store::{self, BuiltBatch, StoreError};
use crate::types::BatchNumber;
use sheaf_core::F;
use sheaf_core::geometry::Geometry;
use sheaf_core::trace::advance;
use sheaf_core::tree::Tree;
use sqlx::PgConnection;
use std::collections::HashMap;

/// A tree, and the built batch that it is after; 0 before the first.
#[derive(Debug)]
pub(crate) struct Base {
    pub(super) tree: Tree,
    pub(super) built: BatchNumber,
}

/// What makes a [`Base`].
#[derive(Debug)]
pub(crate) struct BaseWords {
    geometry: Geometry,
    words: Vec<(u32, F)>,
    built: BatchNumber,
    /// Of the tree after `built`; `None` before the first batch.
    root: Option<F>,
}

impl BaseWords {
    /// The words after the last built batch: those of `state`, which is the one after the last block, with what later
    /// batches changed put back. `tx` sees the snapshot that the state was read in.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn load(tx: &mut PgConnection, state: &State) -> Result<Self, StoreError> {
        let (built, root) = store::last_built(tx).await?;
        let mut undone: HashMap<u32, F> = store::words_after(tx, built).await?;
        let current = state.words().nonzero().map(|(address, value)| (address, undone.remove(&address).unwrap_or(value)));
        let mut words: Vec<_> = current.collect();
        // Those that are 0 now.
        words.extend(undone);
        Ok(Self { geometry: state.words().geometry(), words, built, root })
    }
}

impl Base {
    /// The batch that it is after; 0 before the first.
    pub(crate) const fn built(&self) -> BatchNumber {
        self.built
    }

    /// The root of the state after that batch.
    #[cfg(test)]
    pub(crate) fn root(&self) -> F {
        self.tree.root()
    }

    /// Makes the tree, on a thread of its own. `progress` is told of words in place, and of all.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if it has another root than the last built batch.
    pub(crate) async fn make(words: BaseWords, progress: impl Fn(u64, u64) + Send + Sync + 'static) -> Result<Self, StoreError> {
        let BaseWords { geometry, words, built, root } = words;
        let making = tokio::task::spawn_blocking(move || Tree::from_words_with(geometry, words, &progress));
        let tree = making.await.expect("making a tree does not panic");
        let base = Self { tree, built };
        if let Some(root) = root {
            base.check(root)?;
        }
        Ok(base)
    }

    /// Moves over batches that somebody else has built.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if they don't follow, or one has another root than the tree has with its operations.
    pub(crate) async fn advance(&mut self, batches: Vec<BuiltBatch>, domain: F) -> Result<(), StoreError> {
        if batches.is_empty() {
            return Ok(());
        }
        let mut base = std::mem::replace(self, Self { tree: Tree::new(Geometry::PROTOCOL), built: BatchNumber(0) });
        let moving = tokio::task::spawn_blocking(move || {
            let moved = batches.iter().try_for_each(|batch| base.advance_one(batch, domain));
            (base, moved)
        });
        let (base, moved) = moving.await.expect("moving a tree does not panic");
        *self = base;
        moved
    }

    fn advance_one(&mut self, batch: &BuiltBatch, domain: F) -> Result<(), StoreError> {
        if batch.number != self.built.next() {
            return Err(StoreError::Damaged(format!("batch {} follows batch {}", batch.number, self.built)));
        }
        advance(&mut self.tree, batch.header(domain), &batch.operations)
            .map_err(|error| StoreError::Damaged(format!("batch {} can't be followed: {error}", batch.number)))?;
        self.built = batch.number;
        self.check(batch.root)
    }

    fn check(&self, root: F) -> Result<(), StoreError> {
        if self.tree.root() == root {
            return Ok(());
        }
        Err(StoreError::Damaged(format!("the state after batch {} has another root", self.built)))
    }
}
