/* tests/task/ocr_truth.h - what is written in the shared pictures (shared/models/IO.md and by eye), lines joined by spaces. */
#ifndef TUTTI_TEST_OCR_TRUTH_H
#define TUTTI_TEST_OCR_TRUTH_H

static const struct { const char *file, *text; int most_wrong; /* characters, by Tesseract 5.3 */ } truths[] = {
    { "line_hello.png", "Hello World 2026", 0 },
    { "sign_exit.jpg", "EXIT 24 Main Street", 0 },
    { "receipt.png", "CORNER SHOP 12 Mill Road Bread 2.40 Milk 1.15 Apples 3.20 TOTAL 6.75 CASH 10.00 CHANGE 3.25 Thank you", 0 },
    { "bill.png", "FIRST CHEQUING Line of Credit 100,000.00 Rate 4.2000 Date Description Number Debits Credits Balance "
                  "31Jul2018 Balance Forward 99,878.08 - 01Aug2018 Clearing Cheque 4987 36.07 99,914.15 - "
                  "01Aug2018 Clearing Cheque 4986 60.93 99,975.08 - 01Aug2018 Clearing Cheque 4982 800.04 100,775.12 EX "
                  "01Aug2018 Clearing Cheque 4981 823.34 101,598.46 EX 01Aug2018 Incoming Interac e-Transfer 14.54 101,583.92 EX "
                  "01Aug2018 Incoming Interac e-Transfer 400.00 101,183.92 EX 01Aug2018 Assisted Deposit 32,414.50 68,769.42 - "
                  "01Aug2018 Transfer out to loan 7 1,500.00 70,269.42 - 02Aug2018 Clearing Cheque 4984 48.08 70,317.50 - "
                  "02Aug2018 Clearing Cheque 4985 70.51 70,388.01 - 02Aug2018 Clearing Cheque 4992 500.00 70,888.01 -", 12 },
    { "page.png", "Region-based segmentation Let us first determine markers of the coins and the background. These markers are pixels "
                  "that we can label unambiguously as either object or background. Here, the markers are found at the two extreme "
                  "parts of the histogram of grey values: >>> markers = np.zeros_like(coins)", 40 },
};
enum { N_TRUTHS = sizeof(truths) / sizeof(truths[0]) };
#endif
