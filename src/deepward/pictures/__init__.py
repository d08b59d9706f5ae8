"""Pictures: decoding, containers, perceptual hashes, crops, laundering, augmentation."""
