//! The shapes of a contract, and which of them a batch gets.

use crate::geometry::Geometry;
use crate::shape::{RowCounter, Shape};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Shapes that a contract has at most.
pub const SHAPES_MAX: usize = 16;

/// The shapes of a contract: their ids are their places, and each is larger than the one before.
///
/// A batch gets the smallest that holds it. As sizes ascend, there is always one.
///
/// ```
/// use sheaf_core::shape::Shape;
/// use sheaf_core::shapes::Shapes;
///
/// let shapes = Shapes::new(vec![Shape::DEVELOPMENT, Shape::MEDIUM, Shape::LARGE])?;
/// assert_eq!(shapes.get(1), Some(Shape::MEDIUM));
/// assert_eq!(shapes.smallest_for(17, 60, 400), Some(Shape::MEDIUM));
/// # Ok::<(), sheaf_core::shapes::ShapesError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Shape>", into = "Vec<Shape>")]
pub struct Shapes(Arc<[Shape]>);

/// Why shapes are no contract's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapesError {
    /// A contract has at least one, and not too many.
    #[error("there must be 1 to {SHAPES_MAX} shapes, not {count}")]
    Count {
        /// How many there are.
        count: usize,
    },
    /// The contract numbers its shapes from 0.
    #[error("the shape in place {place} must have id {place}, not {id}")]
    Id {
        /// Its place in the list, from 0.
        place: usize,
        /// Its id.
        id: u8,
    },
    /// Otherwise it would not be known which is the smallest that fits.
    #[error("shape {id} must have no fewer slots, leaf rows and node rows than the shape before it, and more of one of them")]
    Order {
        /// The shape that is not larger than the one before.
        id: u8,
    },
    /// Room that does not suffice for any one operation.
    #[error("shape {id} is too small: an operation could block the chain")]
    TooSmall {
        /// The shape.
        id: u8,
    },
}

impl Shapes {
    /// The shapes of a contract, in its order.
    ///
    /// # Errors
    /// [`ShapesError`], all but [`ShapesError::TooSmall`].
    pub fn new(shapes: Vec<Shape>) -> Result<Self, ShapesError> {
        let count = shapes.len();
        if !(1..=SHAPES_MAX).contains(&count) {
            return Err(ShapesError::Count { count });
        }
        if let Some((place, shape)) = shapes.iter().enumerate().find(|(place, shape)| usize::from(shape.id) != *place) {
            return Err(ShapesError::Id { place, id: shape.id });
        }
        let size = |s: &Shape| [s.slots, s.leaf_rows, s.node_rows];
        let grows = |a: &Shape, b: &Shape| size(a) != size(b) && size(a).iter().zip(size(b)).all(|(a, b)| *a <= b);
        match shapes.windows(2).find(|pair| !grows(&pair[0], &pair[1])) {
            Some(pair) => Err(ShapesError::Order { id: pair[1].id }),
            None => Ok(Self(shapes.into())),
        }
    }

    /// A contract with one shape.
    ///
    /// # Errors
    /// [`ShapesError::Id`] if its id is not 0.
    pub fn one(shape: Shape) -> Result<Self, ShapesError> {
        Self::new(vec![shape])
    }

    /// Checks that each has room for any one operation.
    ///
    /// # Errors
    /// [`ShapesError::TooSmall`], for the first one that has not.
    pub fn hold_any_operation(&self, geometry: Geometry) -> Result<(), ShapesError> {
        match self.0.iter().find(|shape| !shape.holds_any_operation(geometry)) {
            Some(shape) => Err(ShapesError::TooSmall { id: shape.id }),
            None => Ok(()),
        }
    }

    /// All of them, ascending.
    pub fn as_slice(&self) -> &[Shape] {
        &self.0
    }

    /// The shape of this number.
    pub fn get(&self, id: u8) -> Option<Shape> {
        self.0.get(usize::from(id)).copied()
    }

    /// The largest one.
    ///
    /// # Panics
    /// Never: there is one.
    pub fn largest(&self) -> Shape {
        *self.0.last().expect("there is a shape")
    }

    /// The smallest with room for so much, if there is one.
    pub fn smallest_for(&self, slots: usize, leaf_rows: usize, node_rows: usize) -> Option<Shape> {
        let holds = |s: &&Shape| s.slots >= slots && s.leaf_rows >= leaf_rows && s.node_rows >= node_rows;
        self.0.iter().find(holds).copied()
    }

    /// The smallest that a batch fits into, if one is large enough.
    ///
    /// What is counted includes the path to the word that padding reads, and however many slots of padding there are, they
    /// read this one word. So what fits by this count can be built. Only a batch that fills a shape's slots to the last one
    /// and has no idle port could do without that path.
    pub fn choose(&self, rows: &RowCounter) -> Option<Shape> {
        let (leaf_rows, node_rows) = rows.rows();
        self.smallest_for(rows.slots(), leaf_rows, node_rows)
    }
}

impl TryFrom<Vec<Shape>> for Shapes {
    type Error = ShapesError;

    fn try_from(shapes: Vec<Shape>) -> Result<Self, ShapesError> {
        Self::new(shapes)
    }
}

impl From<Shapes> for Vec<Shape> {
    fn from(shapes: Shapes) -> Self {
        shapes.0.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Shape = Shape { id: 0, slots: 4, leaf_rows: 10, node_rows: 60 };

    fn refused(shapes: &[Shape]) -> String {
        Shapes::new(shapes.to_vec()).expect_err("refused").to_string()
    }

    #[test]
    fn a_list_is_refused_with_the_reason() {
        assert!(refused(&[]).contains("not 0"));
        let many: Vec<_> = (0..=SHAPES_MAX).map(|i| Shape { id: i as u8, slots: 4 + i, ..SMALL }).collect();
        assert!(refused(&many).contains("1 to 16 shapes, not 17"));
        assert!(Shapes::new(many[..SHAPES_MAX].to_vec()).is_ok());
        assert!(refused(&[Shape { id: 1, ..SMALL }]).contains("in place 0 must have id 0, not 1"));
        let second = Shape { id: 1, slots: 5, ..SMALL };
        for other in [Shape { slots: 4, ..second }, Shape { leaf_rows: 9, ..second }, Shape { node_rows: 59, ..second }] {
            assert!(refused(&[SMALL, other]).starts_with("shape 1 must have no fewer"), "{other:?}");
        }
        assert!(refused(&[second, SMALL]).contains("in place 0"));
        let tight = Shapes::new(vec![Shape { node_rows: 5, ..SMALL }, second]).unwrap();
        assert_eq!(tight.hold_any_operation(Geometry::PROTOCOL), Err(ShapesError::TooSmall { id: 0 }));
    }

    #[test]
    fn the_shapes_of_the_protocol_are_a_list() {
        let shapes = Shapes::new(vec![Shape::DEVELOPMENT, Shape::MEDIUM, Shape::LARGE]).unwrap();
        shapes.hold_any_operation(Geometry::PROTOCOL).unwrap();
        assert_eq!((shapes.largest(), shapes.get(3)), (Shape::LARGE, None));
    }

    #[test]
    fn json_is_a_list_that_is_checked() {
        let text = r#"[{"id":0,"slots":4,"leaf_rows":10,"node_rows":60}]"#;
        let shapes: Shapes = serde_json::from_str(text).unwrap();
        assert_eq!(shapes, Shapes::one(SMALL).unwrap());
        assert_eq!(serde_json::to_string(&shapes).unwrap(), text);
        assert!(serde_json::from_str::<Shapes>("[]").unwrap_err().to_string().contains("not 0"));
    }
}
